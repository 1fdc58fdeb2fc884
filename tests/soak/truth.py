"""What the gate must answer, and the judgement of what it did answer. It knows no HTTP: times and verdicts only.

A verdict is wrong when it contradicts the truth at every moment between question and answer, a second around each
change left aside: by then every edge must know. Times are those of one monotonic clock.
"""

import math
from collections import Counter
from dataclasses import dataclass, field
from typing import Final

TOLERANCE_SECONDS = 1.0  # what the product promises; the suite, on a machine that does other things, gives it more
_SHOWN: Final = 20
ALLOWED: Final = 200


@dataclass(slots=True)
class Credential:
    """What one viewer shows: good from the answer that gave it (or a lift's second after), then cut once, for ever."""

    token: str
    sure_from: float = 0.0
    cut_begins: float = math.inf
    cut_sure: float = math.inf
    refusal: int = 403

    def cut(self, began: float, answered: float) -> None:
        """Note the change that cut it; a later one changes nothing."""
        self.cut_begins = min(self.cut_begins, began)
        self.cut_sure = min(self.cut_sure, answered + TOLERANCE_SECONDS)

    def never(self, refusal: int) -> "Credential":
        """Give one that must be refused, always, with this status."""
        return Credential(self.token, math.inf, -math.inf, -math.inf, refusal)

    def permits(self, status: int, asked: float, answered: float) -> bool:
        if status == ALLOWED:
            return asked < self.cut_sure
        return status == self.refusal and (answered > self.cut_begins or asked < self.sure_from)


@dataclass
class Judge:
    """Counts every answer and keeps the first wrong ones in words."""

    answers: Counter[int] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    wrongs: int = 0

    def hear(self, credential: Credential, status: int, asked: float, answered: float) -> None:
        self.answers[status] += 1
        if not credential.permits(status, asked, answered):
            cut = f"cut {asked - credential.cut_sure:+.3f} s ago" if math.isfinite(credential.cut_sure) else "never cut"
            lag = f"sure for {asked - credential.sure_from:+.3f} s" if credential.sure_from else "sure from the start"
            self.complain(f"{status} in {answered - asked:.3f} s for a token that is {lag}, {cut}")

    def complain(self, sentence: str) -> None:
        self.wrongs += 1
        if len(self.wrong) < _SHOWN:
            self.wrong.append(sentence)
