"""What viewers' pages report about a stream that does not play although their network works.

A report is a hint, not proof, so nothing is decided by it here. However many pages report, an event has one log line a
minute for each kind of trouble. Nothing that identifies a viewer is kept.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import structlog
from cachetools import TTLCache

from control_plane.limits.moving_windows import Limit, MovingWindow

_SESSION_LIMIT: Final = Limit("trouble", 6, 60)
_LOG_EVERY_SECONDS: Final = 60
_KEEP_SECONDS: Final = 60
_MAX_EVENTS: Final = 10_000
log = structlog.get_logger()


class TroubleKind(StrEnum):
    UNAVAILABLE = "unavailable"  # the gate or the origin responds with a 5xx
    MISSING = "missing"  # a file that a playlist names does not exist
    BROKEN = "broken"  # it was fetched and cannot be decoded
    STALLED = "stalled"  # the playlist advances, the picture does not


@dataclass(frozen=True, slots=True)
class Trouble:
    """`file` is a path below the event's folder, `status` the gate's response status; either may be unknown."""

    kind: TroubleKind
    file: str | None = None
    status: int | None = None

    @property
    def sentence(self) -> str:
        """Return the sentence that the organiser is shown."""
        what = {
            TroubleKind.UNAVAILABLE: "cannot load the stream",
            TroubleKind.MISSING: "cannot find a file that the playlist lists",
            TroubleKind.BROKEN: "cannot play what they have loaded",
            TroubleKind.STALLED: "show a frozen picture although the stream continues",
        }[self.kind]
        return f"Viewers' pages {what}{f' ({self.status})' if self.status else ''}."


class TroubleReports:
    """Collects reports. Times are seconds of a monotonic clock."""

    def __init__(self) -> None:
        self._sessions = MovingWindow(_SESSION_LIMIT)
        self._now = 0.0
        self._logged: TTLCache[tuple[str, TroubleKind], bool] = TTLCache(
            _MAX_EVENTS, _LOG_EVERY_SECONDS, lambda: self._now
        )
        self._newest: TTLCache[tuple[str, TroubleKind], Trouble] = TTLCache(
            _MAX_EVENTS, _KEEP_SECONDS, lambda: self._now
        )

    def report_trouble(self, event_id: str, sid: str, trouble: Trouble, now: float) -> bool:
        """Record one session's report. Return whether it was accepted: a session may send six reports a minute."""
        if self._sessions.hit(sid, now):
            return False
        self._now = now
        subject = event_id, trouble.kind
        self._newest[subject] = trouble
        if subject not in self._logged:
            self._logged[subject] = True
            log.warning(
                "stream_trouble", event_id=event_id, kind=trouble.kind.value, file=trouble.file, status=trouble.status
            )
        return True

    def of_event(self, event_id: str, now: float) -> list[Trouble]:
        """Return what was reported about an event within the last minute, the newest of each kind."""
        self._now = max(self._now, now)
        return [trouble for kind in TroubleKind if (trouble := self._newest.get((event_id, kind)))]
