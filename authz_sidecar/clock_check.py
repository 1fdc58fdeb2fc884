"""How far this clock is from the control plane's: told by the Date of its answers (RFC 9110, section 6.6.1).

Tokens are issued by that clock and judged by this one; where they differ, viewers are refused for no fault of theirs.
"""

import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from typing import Final

import structlog

TOLERATED_SECONDS: Final = 5.0
_HALF_A_SECOND: Final = 0.5  # a Date has whole seconds
_AT_ONCE_SECONDS: Final = 2.0
log = structlog.get_logger()


class ClockCheck:
    """`seconds` is by how much this clock is ahead; below 0 it is behind, None is not known."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self.seconds: float | None = None

    @property
    def is_off(self) -> bool:
        return self.seconds is not None and abs(self.seconds) > TOLERATED_SECONDS

    def now(self) -> float:
        """Give what this clock says, for `asked_at`."""
        return self._clock()

    def note(self, date: str | None, asked_at: float | None = None) -> None:
        """Compare with the Date of an answer that has just come to a question of `asked_at`.

        One that was held back tells nothing: it may bear the time at which its question came.
        """
        try:
            theirs = parsedate_to_datetime(date or "").timestamp()
        except (ValueError, OverflowError):
            return
        answered_at = self._clock()
        if asked_at is not None and not 0 <= answered_at - asked_at <= _AT_ONCE_SECONDS:
            return
        was_off = self.is_off
        self.seconds = round(answered_at - theirs - _HALF_A_SECOND, 1)
        if self.is_off != was_off:
            say = log.warning if self.is_off else log.info
            say("clock_differs" if self.is_off else "clock_agrees", seconds=self.seconds)
