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
    cut_begins: float = math.inf
    cut_sure: float = math.inf
    refusal: int = 403

    def cut(self, began: float, answered: float) -> None:
        """Record the change that revoked it; later ones are ignored."""
        self.cut_begins = min(self.cut_begins, began)
        self.cut_sure = min(self.cut_sure, answered + TOLERANCE_SECONDS)

    def never(self, refusal: int) -> "Credential":
        """Return a credential that must always be refused with this status."""
        return Credential(self.token, math.inf, -math.inf, -math.inf, refusal)

    def permits(self, status: int, asked: float, answered: float) -> bool:
        if status == ALLOWED:
            return asked < self.cut_sure
        return status == self.refusal and (answered > self.cut_begins or asked < self.sure_from)


@dataclass
class Judge:
    """Count every response, and keep descriptions of the first wrong ones."""

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
