"""How an event stands: what the plan says (its window) and what its playlist says, put together. Pure: no I/O.

The playlist decides where it says something; where it cannot be read, the clock does.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from control_plane.scheduling import events
from control_plane.storage.models import Event
from control_plane.streaming.playlists import Media

_STILL_MOVING_TARGETS: Final = 3.0  # target durations without a change, after which a live playlist has stopped
_ROUNDING_SECONDS: Final = 1.0  # Last-Modified has whole seconds


class Status(StrEnum):
    NOT_STARTED = "not-started"
    LIVE = "live"
    ENDED = "ended"
    RECORDING = "recording"


class Stream(StrEnum):
    """What the playlist says."""

    MOVING = "moving"  # no EXT-X-ENDLIST, and changed within three target durations
    STOPPED = "stopped"  # a sliding window that has stopped: its last seconds are no recording
    PAUSED = "paused"  # has stopped, too, but keeps all it ever listed
    COMPLETE = "complete"  # EXT-X-ENDLIST
    ABSENT = "absent"  # none there, or one that lists nothing
    UNKNOWN = "unknown"  # could not be read, or not long enough to tell


# Before the start, a recording is what will be shown, not what is on; somebody who has begun early is on.
_BEFORE: Final = dict.fromkeys(Stream, Status.NOT_STARTED) | {Stream.MOVING: Status.LIVE}
# Within the window nothing to see means "not yet", however late it is; a recording may be watched at once.
_DURING: Final = {
    Stream.MOVING: Status.LIVE,
    Stream.STOPPED: Status.NOT_STARTED,
    Stream.PAUSED: Status.NOT_STARTED,
    Stream.COMPLETE: Status.RECORDING,
    Stream.ABSENT: Status.NOT_STARTED,
    Stream.UNKNOWN: Status.LIVE,
}
# After the end, what still moves runs over; what is whole can be watched to the ticket's end.
_AFTER: Final = {
    Stream.MOVING: Status.LIVE,
    Stream.STOPPED: Status.ENDED,
    Stream.PAUSED: Status.RECORDING,
    Stream.COMPLETE: Status.RECORDING,
    Stream.ABSENT: Status.ENDED,
    Stream.UNKNOWN: Status.ENDED,
}
_TABLE: Final = {"not-started": _BEFORE, "live": _DURING, "ended": _AFTER}


def decide(event: Event, stream: Stream, now: datetime) -> Status:
    return _TABLE[events.status_by_clock(event, now)][stream]


@dataclass(frozen=True, slots=True)
class Movement:
    """What successive looks at one playlist told: its fingerprint, since when we see it so, when it last changed."""

    fingerprint: str
    seen_since: float
    looked_at: float
    changed_at: float | None


def follow(before: Movement | None, fingerprint: str, media: Media, modified_at: float | None, now: float) -> Movement:
    """Put one more look to those before. `modified_at` is what the server says (seconds), None where it does not.

    A change between two looks proves movement only when they were near each other: else the time of the change is
    the server's word, the encoder's, or not known.
    """
    if before and before.fingerprint == fingerprint:
        return Movement(fingerprint, before.seen_since, now, before.changed_at)
    told = modified_at if modified_at is not None else media.written_at
    known = [min(told, now)] if told is not None else []
    if before and now - before.looked_at <= _patience(media):
        known.append(now)
    return Movement(fingerprint, now, now, max(known, default=None))


def stream_of(media: Media, movement: Movement) -> Stream:
    """Say what a media playlist is, as of the last look."""
    if not media.segments:
        return Stream.ABSENT
    if media.is_complete:
        return Stream.COMPLETE
    now, patience = movement.looked_at, _patience(media)
    if movement.changed_at is not None and now - movement.changed_at <= patience:
        return Stream.MOVING
    if movement.changed_at is None and now - movement.seen_since <= patience:
        return Stream.UNKNOWN
    return Stream.PAUSED if media.keeps_everything else Stream.STOPPED


def _patience(media: Media) -> float:
    return _STILL_MOVING_TARGETS * media.target_seconds + _ROUNDING_SECONDS
