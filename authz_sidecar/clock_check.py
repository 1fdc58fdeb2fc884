"""The difference between this clock and the control plane's, from the Date of its answers (RFC 9110, section 6.6.1).

Tokens are issued by that clock and checked by this one; if they differ, viewers are refused through no fault of theirs.
"""

import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from typing import Final

import structlog

TOLERATED_SECONDS: Final = 5.0
_HALF_SECOND: Final = 0.5  # a Date has whole seconds
_PROMPT_ANSWER_SECONDS: Final = 2.0
log = structlog.get_logger()


class ClockCheck:
    """`seconds` is how far this clock is ahead; negative if it is behind, None while unknown."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self.seconds: float | None = None

    @property
    def is_off(self) -> bool:
        return self.seconds is not None and abs(self.seconds) > TOLERATED_SECONDS

    def now(self) -> float:
        """Return this clock's time, to be passed as `asked_at`."""
        return self._clock()

    def note(self, date: str | None, asked_at: float | None = None) -> None:
        """Compare with the Date of a response that has just arrived for a request sent at `asked_at`.

        A delayed response is ignored: its Date may be the time at which its request arrived.
        """
        try:
            theirs = parsedate_to_datetime(date or "").timestamp()
        except (ValueError, OverflowError):
            return
        answered_at = self._clock()
        if asked_at is not None and not 0 <= answered_at - asked_at <= _PROMPT_ANSWER_SECONDS:
            return
        was_off = self.is_off
        self.seconds = round(answered_at - theirs - _HALF_SECOND, 1)
        if self.is_off != was_off:
            write_log = log.warning if self.is_off else log.info
            write_log("clock_differs" if self.is_off else "clock_agrees", seconds=self.seconds)
