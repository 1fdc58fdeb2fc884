"""A feed with very many revoked codes, in pages as the control plane writes them."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

PAGE = 10_000


@dataclass
class ManyRevoked:
    """`count` codes revoked, each with a lifetime of its own within a day. Another epoch is another snapshot."""

    count: int
    epoch: str = "first"

    def __post_init__(self) -> None:
        now = datetime.now(UTC)
        self._at = now.isoformat()
        self._ends = [(now + timedelta(hours=1, seconds=second)).isoformat() for second in range(86_400)]

    @property
    def end(self) -> str:
        return f"{self.epoch}.{self.count}"

    def answer(self, cursor: str) -> bytes | None:
        """Return the page after the cursor, None when there is none."""
        epoch, _, place = cursor.removesuffix(".snapshot").partition(".")
        if cursor == self.end:
            return None
        start = int(place) if epoch == self.epoch and place.isdigit() else 0
        reached = min(start + PAGE, self.count)
        more = reached < self.count
        changes = ",".join(self._change(number) for number in range(start, reached))
        after = f'"next":"{self.epoch}.{reached}.snapshot",' if more else ""
        flags = f'"snapshot":true,"more":{str(more).lower()},{after}'
        return f'{{"cursor":"{self.epoch}.{reached}",{flags}"changes":[{changes}]}}'.encode()

    def _change(self, number: int) -> str:
        ends = self._ends[number * 7919 % len(self._ends)]
        return (
            f'{{"kind":"code","id":"{code(number)}","revoked":true,"notBefore":null,'
            f'"at":"{self._at}","expiresAt":"{ends}"}}'
        )


def code(number: int) -> str:
    return f"C{number * 7_368_787 % 10**11:011d}"
