"""The expected verdicts of the gate, and a check of its actual ones. It knows no HTTP, only times and verdicts.

A verdict is wrong if it contradicts the truth at every moment between request and response, except for one second
around each change: after that every edge must know it. Times are those of one monotonic clock.
"""

import math
from collections import Counter
from dataclasses import dataclass, field
from typing import Final

TOLERANCE_SECONDS = 1.0  # what the product promises; the test suite allows more on a busy machine
_SHOWN: Final = 20
ALLOWED: Final = 200


@dataclass(slots=True)
class Credential:
    """A viewer's token: valid from the response that issued it (or a second after a lift) until it is revoked."""

    token: str
    sure_from: float = 0.0
    revoked_from: float = math.inf
    surely_revoked_from: float = math.inf
    refusal: int = 403

    def revoke(self, began: float, answered: float) -> None:
        """Record the change that revoked it; later ones are ignored."""
        self.revoked_from = min(self.revoked_from, began)
        self.surely_revoked_from = min(self.surely_revoked_from, answered + TOLERANCE_SECONDS)

    def never(self, refusal: int) -> "Credential":
        """Return a credential that must always be refused with this status."""
        return Credential(self.token, math.inf, -math.inf, -math.inf, refusal)

    def permits(self, status: int, asked: float, answered: float) -> bool:
        if status == ALLOWED:
            return asked < self.surely_revoked_from
        return status == self.refusal and (answered > self.revoked_from or asked < self.sure_from)


@dataclass
class Judge:
    """Count every response, and keep descriptions of the first wrong ones."""

    answers: Counter[int] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    wrongs: int = 0

    def record(self, credential: Credential, status: int, asked: float, answered: float) -> None:
        self.answers[status] += 1
        if not credential.permits(status, asked, answered):
            ago = asked - credential.surely_revoked_from
            revocation = f"revoked {ago:+.3f} s ago" if math.isfinite(ago) else "never revoked"
            lag = f"sure for {asked - credential.sure_from:+.3f} s" if credential.sure_from else "sure from the start"
            self.complain(f"{status} in {answered - asked:.3f} s for a token that is {lag}, {revocation}")

    def complain(self, sentence: str) -> None:
        self.wrongs += 1
        if len(self.wrong) < _SHOWN:
            self.wrong.append(sentence)
