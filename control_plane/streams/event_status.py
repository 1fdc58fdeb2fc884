"""The status of an event, from its schedule (its window) and its playlist combined. Pure: no I/O.

The playlist decides if it says anything; if it cannot be read, the clock does.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Final

from control_plane.events import doors, events
from control_plane.streams.playlists import Media, Position
from control_plane.tables import Event

_STILL_MOVING_TARGETS: Final = 3.0  # target durations without a change after which a live playlist has stopped
_ROUNDING_SECONDS: Final = 1.0  # Last-Modified has whole seconds
_RECENT_SECONDS: Final = 60.0  # if two reads are at most this far apart, what changed between them has just changed
_CLOCK_SKEW_SECONDS: Final = 90.0  # how wrong the clock of an encoder or origin may be


class Status(StrEnum):
    NOT_STARTED = "not-started"
    LIVE = "live"
    ENDED = "ended"
    RECORDING = "recording"
    HELD = "held"  # an organiser has closed the doors
    INTERRUPTED = "interrupted"  # it was live within its window and has stopped, or is gone, without having ended


NOTHING_YET: Final = frozenset({Status.NOT_STARTED, Status.HELD})  # a session with a seat is waiting


class StatusDetail(StrEnum):
    """The status as shown to organisers, including the reason for it."""

    DEACTIVATED = "deactivated"
    UPCOMING = "upcoming"
    HELD = "held"
    NO_STREAM = "no-stream"  # it should be live
    LIVE = "live"
    INTERRUPTED = "interrupted"
    RECORDING = "recording"
    OVER = "over"


class Stream(StrEnum):
    """What the playlist says."""

    MOVING = "moving"  # no EXT-X-ENDLIST, and changed within three target durations
    STOPPED = "stopped"  # a sliding window that has stopped: its last seconds are not a recording
    PAUSED = "paused"  # has stopped, too, but still lists everything it ever did
    COMPLETE = "complete"  # EXT-X-ENDLIST
    ABSENT = "absent"  # missing, or lists nothing
    UNKNOWN = "unknown"  # could not be read, or has not been observed long enough to tell


# Before the start, a recording is what will be shown, not what is live; a stream that has begun early is live.
_BEFORE: Final = dict.fromkeys(Stream, Status.NOT_STARTED) | {Stream.MOVING: Status.LIVE}
# Within the window, nothing to see means "not yet", however late it is; a recording can be watched at once.
_DURING: Final = {
    Stream.MOVING: Status.LIVE,
    Stream.STOPPED: Status.NOT_STARTED,
    Stream.PAUSED: Status.NOT_STARTED,
    Stream.COMPLETE: Status.RECORDING,
    Stream.ABSENT: Status.NOT_STARTED,
    Stream.UNKNOWN: Status.LIVE,
}
# After the end, a stream that still moves is overrunning; a complete one can be watched until the ticket ends.
_AFTER: Final = {
    Stream.MOVING: Status.LIVE,
    Stream.STOPPED: Status.ENDED,
    Stream.PAUSED: Status.RECORDING,
    Stream.COMPLETE: Status.RECORDING,
    Stream.ABSENT: Status.ENDED,
    Stream.UNKNOWN: Status.ENDED,
}
_TABLE: Final = {"not-started": _BEFORE, "live": _DURING, "ended": _AFTER}


_WITH_DOORS_CLOSED: Final = {"not-started": Status.HELD, "live": Status.HELD, "ended": Status.ENDED}
_NOT_MOVING: Final = (Stream.STOPPED, Stream.PAUSED, Stream.ABSENT, Stream.UNKNOWN)


_DETAILS: Final = {
    Status.LIVE: StatusDetail.LIVE,
    Status.ENDED: StatusDetail.OVER,
    Status.RECORDING: StatusDetail.RECORDING,
    Status.HELD: StatusDetail.HELD,
    Status.INTERRUPTED: StatusDetail.INTERRUPTED,
}


def detail_of(event: Event, status: Status, now: datetime) -> StatusDetail:
    if not event.is_active:
        return StatusDetail.DEACTIVATED
    return _DETAILS.get(status) or (StatusDetail.UPCOMING if now < event.starts_at else StatusDetail.NO_STREAM)


@dataclass(frozen=True, slots=True)
class Movement:
    """What successive reads of one playlist showed. Times are seconds by our own clock.

    `changed_at` is when it last changed, as far as that is known; `moved_at` when it was last observed to have changed
    between two reads. It counts as moving for `patience` seconds after a change.
    """

    position: Position
    seen_since: float
    observed_at: float
    changed_at: float | None
    moved_at: float | None = None
    patience: float = 0.0

    def moves(self, now: float) -> bool:
        return self.changed_at is not None and now - self.changed_at <= self.patience


def decide(event: Event, stream: Stream, movement: Movement | None, now: datetime) -> Status:
    """Return the event's status from its window, its stream as of the last read, and what earlier reads showed."""
    by_clock = events.status_by_clock(event, now)
    if doors.is_held(event, now):
        return _WITH_DOORS_CLOSED[by_clock] if event.doors else Status.NOT_STARTED
    if event.doors and by_clock == "not-started":
        by_clock = "live"  # an organiser has already opened the doors
    if movement and stream in (Stream.ABSENT, Stream.UNKNOWN) and movement.moves(now.timestamp()):
        stream = Stream.MOVING  # one failed read does not stop what has just moved
    has_moved = movement is not None and (movement.moved_at or 0.0) >= event.starts_at.timestamp()
    if by_clock == "live" and has_moved and stream in _NOT_MOVING:
        return Status.INTERRUPTED
    return _TABLE[by_clock][stream]


def follow(before: Movement | None, media: Media, modified_at: float | None, now: float) -> Movement:
    """Add one more read to the previous ones. `modified_at` is what the server says (seconds), or None if it does not.

    A playlist that changed between two reads is moving, whatever any clock except ours says. The first read, or one
    after a long time, has only the time reported by the server or the encoder, and believes it only if a wrong clock
    could not have caused it: a time long ago. A time of just now is believed until it proves otherwise.
    """
    position, patience = media.position, _patience(media)
    if before and before.position == position:
        return replace(before, observed_at=now, patience=patience)
    if before and now - before.observed_at <= max(_RECENT_SECONDS, patience):
        return Movement(position, now, now, now, now, patience)
    reported_at = modified_at if modified_at is not None else media.written_at
    changed_at = reported_at if reported_at is not None and _is_plausible(now - reported_at, patience) else None
    return Movement(position, now, now, changed_at, reported_at if _has_moved(media) else None, patience)


def _has_moved(media: Media) -> bool:
    """Return whether it must have moved before the first read: its window has slid, or it has grown."""
    has_grown = media.keeps_everything and media.segments > 1 and not media.is_complete
    return has_grown or media.position.sequence > 0


def _is_plausible(age: float, patience: float) -> bool:
    return -_ROUNDING_SECONDS <= age <= patience or age > patience + _CLOCK_SKEW_SECONDS


def stream_of(media: Media, movement: Movement) -> Stream:
    """Return the state of a media playlist as of the last read."""
    if not media.segments:
        return Stream.ABSENT
    if media.is_complete:
        return Stream.COMPLETE
    if movement.moves(movement.observed_at):
        return Stream.MOVING
    if movement.changed_at is None and movement.observed_at - movement.seen_since <= movement.patience:
        return Stream.UNKNOWN
    return Stream.PAUSED if media.keeps_everything else Stream.STOPPED


def _patience(media: Media) -> float:
    return _STILL_MOVING_TARGETS * media.target_seconds + _ROUNDING_SECONDS
