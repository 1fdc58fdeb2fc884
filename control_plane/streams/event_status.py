"""How an event stands: what the plan says (its window) and what its playlist says, put together. Pure: no I/O.

The playlist decides where it says something; where it cannot be read, the clock does.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Final

from control_plane.events import doors, events
from control_plane.models import Event
from control_plane.streams.playlists import Media, Position

_STILL_MOVING_TARGETS: Final = 3.0  # target durations without a change, after which a live playlist has stopped
_ROUNDING_SECONDS: Final = 1.0  # Last-Modified has whole seconds
_NEAR_SECONDS: Final = 60.0  # two looks within it: what changed between them changed just now
_CLOCKS_DIFFER_SECONDS: Final = 90.0  # by how much an encoder's or origin's clock may be wrong


class Status(StrEnum):
    NOT_STARTED = "not-started"
    LIVE = "live"
    ENDED = "ended"
    RECORDING = "recording"
    HELD = "held"  # an organiser has closed the doors
    INTERRUPTED = "interrupted"  # it was on within its window and stands still, or is gone, without having ended


NOTHING_YET: Final = frozenset({Status.NOT_STARTED, Status.HELD})  # whoever has a seat is waiting


class StatusDetail(StrEnum):
    """What an organiser is told: the status, and why it is so."""

    DEACTIVATED = "deactivated"
    UPCOMING = "upcoming"
    HELD = "held"
    NO_STREAM = "no-stream"  # it should be on
    LIVE = "live"
    INTERRUPTED = "interrupted"
    RECORDING = "recording"
    OVER = "over"


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


_BEHIND_CLOSED_DOORS: Final = {"not-started": Status.HELD, "live": Status.HELD, "ended": Status.ENDED}
_STANDS: Final = (Stream.STOPPED, Stream.PAUSED, Stream.ABSENT, Stream.UNKNOWN)


_STANDINGS: Final = {
    Status.LIVE: StatusDetail.LIVE,
    Status.ENDED: StatusDetail.OVER,
    Status.RECORDING: StatusDetail.RECORDING,
    Status.HELD: StatusDetail.HELD,
    Status.INTERRUPTED: StatusDetail.INTERRUPTED,
}


def standing(event: Event, status: Status, now: datetime) -> StatusDetail:
    if not event.is_active:
        return StatusDetail.DEACTIVATED
    return _STANDINGS.get(status) or (StatusDetail.UPCOMING if now < event.starts_at else StatusDetail.NO_STREAM)


@dataclass(frozen=True, slots=True)
class Movement:
    """What successive looks at one playlist told. Times are seconds by our own clock.

    `changed_at` is when it last changed, as far as that is known; `moved_at` when it last was seen to have changed
    between two looks. It is still moving for `patience` seconds after a change.
    """

    position: Position
    seen_since: float
    looked_at: float
    changed_at: float | None
    moved_at: float | None = None
    patience: float = 0.0

    def moves(self, now: float) -> bool:
        return self.changed_at is not None and now - self.changed_at <= self.patience


def decide(event: Event, stream: Stream, movement: Movement | None, now: datetime) -> Status:
    """Say how the event stands by its window, its stream as of the last look, and what the looks before told."""
    by_clock = events.status_by_clock(event, now)
    if doors.is_held(event, now):
        return _BEHIND_CLOSED_DOORS[by_clock] if event.doors else Status.NOT_STARTED
    if event.doors and by_clock == "not-started":
        by_clock = "live"  # an organiser has let everybody in already
    if movement and stream in (Stream.ABSENT, Stream.UNKNOWN) and movement.moves(now.timestamp()):
        stream = Stream.MOVING  # one look that fails does not stop what has just moved
    has_moved = movement is not None and (movement.moved_at or 0.0) >= event.starts_at.timestamp()
    if by_clock == "live" and has_moved and stream in _STANDS:
        return Status.INTERRUPTED
    return _TABLE[by_clock][stream]


def follow(before: Movement | None, media: Media, modified_at: float | None, now: float) -> Movement:
    """Put one more look to those before. `modified_at` is what the server says (seconds), None where it does not.

    What has changed between two looks moves, whatever any clock says but ours. The first look, or one after a long
    while, has nothing but the server's or the encoder's word, and believes it only where a wrong clock could not have
    made it: a time long ago. A time of just now is believed until it proves otherwise.
    """
    position, patience = media.position, _patience(media)
    if before and before.position == position:
        return replace(before, looked_at=now, patience=patience)
    if before and now - before.looked_at <= max(_NEAR_SECONDS, patience):
        return Movement(position, now, now, now, now, patience)
    told = modified_at if modified_at is not None else media.written_at
    changed_at = told if told is not None and _is_believed(now - told, patience) else None
    return Movement(position, now, now, changed_at, told if _has_moved(media) else None, patience)


def _has_moved(media: Media) -> bool:
    """Tell whether it must have moved before anybody looked: its window has slid, or it has grown."""
    has_grown = media.keeps_everything and media.segments > 1 and not media.is_complete
    return has_grown or media.position.sequence > 0


def _is_believed(age: float, patience: float) -> bool:
    return -_ROUNDING_SECONDS <= age <= patience or age > patience + _CLOCKS_DIFFER_SECONDS


def stream_of(media: Media, movement: Movement) -> Stream:
    """Say what a media playlist is, as of the last look."""
    if not media.segments:
        return Stream.ABSENT
    if media.is_complete:
        return Stream.COMPLETE
    if movement.moves(movement.looked_at):
        return Stream.MOVING
    if movement.changed_at is None and movement.looked_at - movement.seen_since <= movement.patience:
        return Stream.UNKNOWN
    return Stream.PAUSED if media.keeps_everything else Stream.STOPPED


def _patience(media: Media) -> float:
    return _STILL_MOVING_TARGETS * media.target_seconds + _ROUNDING_SECONDS
