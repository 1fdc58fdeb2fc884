"""How an event stands, from its window and its playlist."""

from datetime import UTC, datetime, timedelta

import pytest

from control_plane.storage.models import Event
from control_plane.streaming.event_status import Movement, Status, Stream, decide, follow, stream_of
from control_plane.streaming.playlists import Media

START = datetime(2027, 1, 15, 20, tzinfo=UTC)
END = START + timedelta(hours=2)
EVENT = Event(starts_at=START, ends_at=END)
MEDIA = Media(target_seconds=2.0, segments=5, newest="5.ts", is_complete=False, keeps_everything=False, written_at=None)
BEFORE, DURING, AFTER = START - timedelta(minutes=1), START, END
TABLE = {
    Stream.MOVING: ("live", "live", "live"),
    Stream.STOPPED: ("not-started", "not-started", "ended"),
    Stream.PAUSED: ("not-started", "not-started", "recording"),
    Stream.COMPLETE: ("not-started", "recording", "recording"),
    Stream.ABSENT: ("not-started", "not-started", "ended"),
    Stream.UNKNOWN: ("not-started", "live", "ended"),
}


@pytest.mark.parametrize("stream", Stream)
def test_the_playlist_decides_where_it_says_something_and_the_clock_where_not(stream: Stream) -> None:
    assert tuple(decide(EVENT, stream, now) for now in (BEFORE, DURING, AFTER)) == tuple(map(Status, TABLE[stream]))


def look(before: Movement | None, text: str, now: float, modified_at: float | None = None) -> Movement:
    return follow(before, text, MEDIA, modified_at, now)


def test_the_first_look_believes_the_server_when_it_says_when_the_playlist_changed() -> None:
    assert stream_of(MEDIA, look(None, "a", 1000, modified_at=999)) is Stream.MOVING
    assert stream_of(MEDIA, look(None, "a", 1000, modified_at=992)) is Stream.STOPPED


def test_without_a_word_from_the_server_the_encoders_clock_counts() -> None:
    timed = Media(2.0, 5, "5.ts", False, False, written_at=998.0)
    assert stream_of(timed, follow(None, "a", timed, None, 1000)) is Stream.MOVING
    assert stream_of(timed, follow(None, "a", timed, 900.0, 1000)) is Stream.STOPPED


def test_a_playlist_that_nobody_dates_is_unknown_until_it_moves_or_stands_for_three_target_durations() -> None:
    first = look(None, "a", 1000)
    assert stream_of(MEDIA, first) is Stream.UNKNOWN
    assert stream_of(MEDIA, look(first, "b", 1005)) is Stream.MOVING
    still = look(first, "a", 1005)
    assert stream_of(MEDIA, still) is Stream.UNKNOWN
    assert stream_of(MEDIA, look(still, "a", 1010)) is Stream.STOPPED


def test_what_has_moved_stands_still_after_three_target_durations() -> None:
    moving = look(look(None, "a", 1000), "b", 1005)
    assert stream_of(MEDIA, look(moving, "b", 1010)) is Stream.MOVING
    assert stream_of(MEDIA, look(look(moving, "b", 1010), "b", 1015)) is Stream.STOPPED


def test_a_change_since_a_look_long_ago_does_not_say_when_it_was() -> None:
    assert stream_of(MEDIA, look(look(None, "a", 1000), "b", 2000)) is Stream.UNKNOWN


def test_a_clock_that_is_ahead_makes_nothing_move_in_the_future() -> None:
    ahead = look(None, "a", 1000, modified_at=5000)
    assert ahead.changed_at == 1000
    assert stream_of(MEDIA, look(ahead, "a", 1010)) is Stream.STOPPED


def test_what_keeps_everything_is_a_recording_once_it_stands_and_the_event_is_over() -> None:
    kept = Media(2.0, 5, "5.ts", False, True, None)
    assert stream_of(kept, follow(None, "a", kept, 900.0, 1000)) is Stream.PAUSED


def test_an_end_is_an_end_however_fresh_and_an_empty_playlist_is_none() -> None:
    over = Media(2.0, 5, "5.ts", True, False, None)
    assert stream_of(over, follow(None, "a", over, 1000.0, 1000)) is Stream.COMPLETE
    empty = Media(2.0, 0, None, False, False, None)
    assert stream_of(empty, follow(None, "a", empty, 1000.0, 1000)) is Stream.ABSENT
