"""The status of an event, from its window, its playlist and earlier probes."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from control_plane.streams.event_status import Movement, Status, Stream, decide, follow, stream_of
from control_plane.streams.playlists import Media, Position
from control_plane.tables import Event

START = datetime(2027, 1, 15, 20, tzinfo=UTC)
END = START + timedelta(hours=2)
EVENT = Event(starts_at=START, ends_at=END)
MINUTE = timedelta(minutes=1)
BEFORE, DURING, AFTER = START - MINUTE, START, END
TABLE = {
    Stream.MOVING: ("live", "live", "live"),
    Stream.STOPPED: ("not-started", "not-started", "ended"),
    Stream.PAUSED: ("not-started", "not-started", "recording"),
    Stream.COMPLETE: ("not-started", "recording", "recording"),
    Stream.ABSENT: ("not-started", "not-started", "ended"),
    Stream.UNKNOWN: ("not-started", "live", "ended"),
}
HAS_STOPPED = {
    Stream.MOVING: ("live", "live"),
    Stream.STOPPED: ("interrupted", "ended"),
    Stream.PAUSED: ("interrupted", "recording"),
    Stream.COMPLETE: ("recording", "recording"),
    Stream.ABSENT: ("interrupted", "ended"),
    Stream.UNKNOWN: ("interrupted", "ended"),
}


def media_at(sequence: int, *, keeps_everything: bool = False, written_at: float | None = None) -> Media:
    position = Position(sequence, 5, 0, f"{sequence + 5}.ts")
    return Media(2.0, 5, position.newest, False, keeps_everything, written_at, position)


MEDIA = media_at(0)


@pytest.mark.parametrize("stream", Stream)
def test_the_playlist_decides_if_it_can_and_the_clock_otherwise(stream: Stream) -> None:
    statuses = tuple(decide(EVENT, stream, None, now) for now in (BEFORE, DURING, AFTER))
    assert statuses == tuple(map(Status, TABLE[stream]))


@pytest.mark.parametrize("stream", Stream)
def test_closed_doors_hold_the_event_and_opened_doors_start_it(stream: Stream) -> None:
    def statuses(**values: object) -> tuple[Status, ...]:
        event = Event(starts_at=START, ends_at=END, **values)
        return tuple(decide(event, stream, None, now) for now in (BEFORE, DURING, AFTER))

    _, during, after = map(Status, TABLE[stream])
    assert statuses(hold_until_start=True) == (Status.NOT_STARTED, during, after)
    assert statuses(hold_until_start=True, doors="closed") == (Status.HELD, Status.HELD, Status.ENDED)
    assert statuses(hold_until_start=True, doors="open") == (during, during, after)


def moved_at(moment: datetime) -> Movement:
    at = moment.timestamp()
    return Movement(MEDIA.position, at, at, at, at, patience=7)


@pytest.mark.parametrize("stream", Stream)
def test_a_stream_that_stops_within_the_window_without_an_end_is_interrupted(stream: Stream) -> None:
    statuses = tuple(decide(EVENT, stream, moved_at(START + MINUTE), now) for now in (START + 2 * MINUTE, AFTER))
    assert statuses == tuple(map(Status, HAS_STOPPED[stream]))


@pytest.mark.parametrize("stream", [Stream.STOPPED, Stream.PAUSED, Stream.ABSENT])
def test_a_sound_check_that_ended_is_not_an_interruption(stream: Stream) -> None:
    assert decide(EVENT, stream, moved_at(START - MINUTE), START + MINUTE) is Status.NOT_STARTED


@pytest.mark.parametrize("stream", [Stream.ABSENT, Stream.UNKNOWN])
def test_a_failed_probe_does_not_stop_a_stream_that_has_just_moved(stream: Stream) -> None:
    moving = moved_at(START + MINUTE)
    assert decide(EVENT, stream, moving, START + MINUTE + timedelta(seconds=7)) is Status.LIVE
    assert decide(EVENT, stream, moving, START + MINUTE + timedelta(seconds=8)) is Status.INTERRUPTED


def probe(before: Movement | None, sequence: int, now: float, modified_at: float | None = None) -> Movement:
    return follow(before, media_at(sequence), modified_at, now)


@pytest.mark.parametrize("offset", [-60, -10, 0, 10, 60])
@pytest.mark.parametrize("pause", [2, 5, 30])
def test_a_playlist_that_advances_between_two_probes_is_live_regardless_of_clocks(offset: int, pause: int) -> None:
    movement: Movement | None = None
    for turn in range(4):
        now = 1000.0 + turn * pause
        media = media_at(turn, written_at=now + offset)
        movement = follow(movement, media, now + offset, now)
        assert stream_of(media, movement) in ((Stream.MOVING, Stream.UNKNOWN) if turn == 0 else (Stream.MOVING,))


@pytest.mark.parametrize("offset", [-60, -10, 0, 10, 60])
def test_a_playlist_that_does_not_change_has_stopped_regardless_of_clocks(offset: int) -> None:
    movement = probe(probe(None, 1, 1000, 1000 + offset), 2, 1005, 1005 + offset)
    assert stream_of(MEDIA, probe(movement, 2, 1010, 1005 + offset)) is Stream.MOVING
    assert stream_of(MEDIA, probe(movement, 2, 1013, 1005 + offset)) is Stream.STOPPED


@pytest.mark.parametrize("offset", [-60, -10, 0, 10, 60])
def test_a_playlist_that_never_changed_has_stopped_after_three_target_durations(
    offset: int,
) -> None:
    first = probe(None, 0, 1000, 1000 + offset)
    assert stream_of(MEDIA, probe(first, 0, 1008, 1000 + offset)) is Stream.STOPPED
    assert first.moved_at is None


def test_the_first_probe_trusts_a_recent_time_and_one_long_ago() -> None:
    assert stream_of(MEDIA, probe(None, 0, 1000, modified_at=999)) is Stream.MOVING
    assert stream_of(MEDIA, probe(None, 0, 1000, modified_at=902)) is Stream.STOPPED
    assert stream_of(MEDIA, probe(None, 0, 1000, modified_at=940)) is Stream.UNKNOWN


def test_without_a_time_from_the_server_the_encoders_clock_counts() -> None:
    timed = media_at(0, written_at=998.0)
    assert stream_of(timed, follow(None, timed, None, 1000)) is Stream.MOVING
    assert stream_of(timed, follow(None, timed, 900.0, 1000)) is Stream.STOPPED


def test_a_window_that_has_moved_on_was_live_before_the_first_probe() -> None:
    at = START.timestamp() + 60
    assert probe(None, 3, at + 300, modified_at=at).moved_at == at
    assert probe(None, 0, at + 300, modified_at=at).moved_at is None


def test_a_growing_complete_playlist_was_live_before_the_first_probe() -> None:
    """As after a restart of the control plane, if the encoder had died before."""
    at = START.timestamp() + 60
    grown = media_at(0, keeps_everything=True)
    seen = follow(None, grown, at, at + 300)
    assert (seen.moved_at, stream_of(grown, seen)) == (at, Stream.PAUSED)
    for never in (replace(grown, segments=1), replace(grown, is_complete=True)):
        assert follow(None, never, at, at + 300).moved_at is None


def test_an_undated_playlist_is_unknown_until_it_moves_or_stands_for_three_target_durations() -> None:
    first = probe(None, 0, 1000)
    assert stream_of(MEDIA, first) is Stream.UNKNOWN
    assert stream_of(MEDIA, probe(first, 1, 1005)) is Stream.MOVING
    still = probe(first, 0, 1005)
    assert stream_of(MEDIA, still) is Stream.UNKNOWN
    assert stream_of(MEDIA, probe(still, 0, 1010)) is Stream.STOPPED


def test_the_time_of_a_change_since_a_probe_long_ago_is_unknown() -> None:
    assert stream_of(MEDIA, probe(probe(None, 0, 1000), 1, 2000)) is Stream.UNKNOWN


def test_restarting_names_and_new_parts_count_as_movement() -> None:
    again = probe(probe(None, 100, 1000), 0, 1005)
    assert again.moved_at == 1005
    part = media_at(0)
    longer = Media(2.0, 5, "5.ts", False, False, None, part.position._replace(parts=1))
    assert follow(follow(None, part, None, 1000), longer, None, 1005).moved_at == 1005


def test_a_complete_playlist_is_a_recording_once_it_stops_and_the_event_is_over() -> None:
    kept = media_at(0, keeps_everything=True)
    assert stream_of(kept, follow(None, kept, 900.0, 1000)) is Stream.PAUSED


def test_an_ended_playlist_is_over_however_recent_and_an_empty_one_is_no_stream() -> None:
    over = Media(2.0, 5, "5.ts", True, False, None)
    assert stream_of(over, follow(None, over, 1000.0, 1000)) is Stream.COMPLETE
    empty = Media(2.0, 0, None, False, False, None)
    assert stream_of(empty, follow(None, empty, 1000.0, 1000)) is Stream.ABSENT
