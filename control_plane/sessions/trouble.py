"""What the pages of viewers report about a stream that does not play although their network works.

A page's word is a hint and no proof, so nothing is decided by it here. However many pages report, an event has one log
line a minute for each kind of trouble. Nothing that names a viewer is kept.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import structlog
from cachetools import TTLCache

from control_plane.limits.moving_windows import Limit, MovingWindow

_OF_ONE_SESSION: Final = Limit("trouble", 6, 60)
_SAID_EVERY_SECONDS: Final = 60
_TOLD_SECONDS: Final = 60
_MOST_EVENTS: Final = 10_000
log = structlog.get_logger()


class TroubleKind(StrEnum):
    UNAVAILABLE = "unavailable"  # the gate or the origin answers with a 5xx
    MISSING = "missing"  # a file that a playlist names is not there
    BROKEN = "broken"  # it was fetched and cannot be decoded
    STALLED = "stalled"  # the playlist goes on, the picture does not


@dataclass(frozen=True, slots=True)
class Trouble:
    """`file` is a name below the event's folder, `status` what the gate answered; either may be unknown."""

    kind: TroubleKind
    file: str | None = None
    status: int | None = None

    @property
    def sentence(self) -> str:
        """Say it to the organiser."""
        what = {
            TroubleKind.UNAVAILABLE: "cannot load the stream",
            TroubleKind.MISSING: "do not find a file that the stream names",
            TroubleKind.BROKEN: "cannot play what they have loaded",
            TroubleKind.STALLED: "show a picture that stands still while the stream goes on",
        }[self.kind]
        return f"Viewers' pages {what}{f' ({self.status})' if self.status else ''}."


class TroubleReports:
    """Takes reports. Times are seconds of a clock that never goes back."""

    def __init__(self) -> None:
        self._sessions = MovingWindow(_OF_ONE_SESSION)
        self._now = 0.0
        self._said: TTLCache[tuple[str, TroubleKind], bool] = TTLCache(
            _MOST_EVENTS, _SAID_EVERY_SECONDS, lambda: self._now
        )
        self._newest: TTLCache[tuple[str, TroubleKind], Trouble] = TTLCache(
            _MOST_EVENTS, _TOLD_SECONDS, lambda: self._now
        )

    def report_trouble(self, event_id: str, sid: str, trouble: Trouble, now: float) -> bool:
        """Note what one session reports. Return whether it was noted: a session has six reports a minute."""
        if self._sessions.hit(sid, now):
            return False
        self._now = now
        subject = event_id, trouble.kind
        self._newest[subject] = trouble
        if subject not in self._said:
            self._said[subject] = True
            log.warning(
                "stream_trouble", event_id=event_id, kind=trouble.kind.value, file=trouble.file, status=trouble.status
            )
        return True

    def of_event(self, event_id: str, now: float) -> list[Trouble]:
        """Give what was reported of an event within the last minute, the newest of each kind."""
        self._now = max(self._now, now)
        return [trouble for kind in TroubleKind if (trouble := self._newest.get((event_id, kind)))]
