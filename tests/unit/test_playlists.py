"""Playlists: what is parsed, and that no input crashes the parser or makes it slow."""

import time
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from control_plane.streams.playlists import (
    LONGEST_LINE,
    MOST_LINES,
    Master,
    Media,
    NoPlaylist,
    Position,
    Rendition,
    attributes,
    parse,
)
from tests.support.waiting import HANGS_AFTER_SECONDS

LIVE = """#EXTM3U
#EXT-X-VERSION:3
#EXT-X-TARGETDURATION:2
#EXT-X-MEDIA-SEQUENCE:7
#EXT-X-PROGRAM-DATE-TIME:2027-01-15T12:00:00.000+00:00
#EXTINF:2.0,
7.ts
#EXTINF:1.5,
8.ts
"""
AT = Position(7, 2, 0, "8.ts")
MASTER = """#EXTM3U
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="en",URI="audio.m3u8"
#EXT-X-STREAM-INF:BANDWIDTH=465000,RESOLUTION=640x360,CODECS="avc1.42c01e,mp4a.40.2"

0/index.m3u8
#EXT-X-STREAM-INF:AVERAGE-BANDWIDTH=1
1/index.m3u8
#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=1,URI="iframes.m3u8"
"""


def test_a_live_playlist_has_part_durations_and_the_end_of_the_last_part() -> None:
    assert parse(LIVE) == Media(2.0, 2, "8.ts", False, False, 1_800_014_403.5, AT)


def test_the_end_of_a_playlist_and_its_type_are_parsed() -> None:
    event = LIVE.replace("#EXT-X-VERSION:3", "#EXT-X-PLAYLIST-TYPE:EVENT")
    assert parse(event) == Media(2.0, 2, "8.ts", False, True, 1_800_014_403.5, AT)
    ended = parse(f"{LIVE}#EXT-X-ENDLIST\n")
    assert isinstance(ended, Media)
    assert ended.is_complete


def test_windows_line_ends_and_a_byte_order_mark_make_no_difference() -> None:
    assert parse("\ufeff" + LIVE.replace("\n", "\r\n")) == parse(LIVE)


def test_a_master_playlist_lists_its_variants_in_order() -> None:
    assert parse(MASTER) == Master(
        (
            Rendition("0/index.m3u8", 465_000, "640x360", "avc1.42c01e,mp4a.40.2"),
            Rendition("1/index.m3u8"),
        )
    )


@pytest.mark.parametrize("number", ["1e308", "nan", "-2", "two", "", "99999999999"])
def test_invalid_numbers_are_refused_or_ignored(number: str) -> None:
    with pytest.raises(NoPlaylist):
        parse(LIVE.replace("DURATION:2", f"DURATION:{number}"))
    master = parse(MASTER.replace("465000", number if number != "99999999999" else number * 3))
    assert isinstance(master, Master)
    assert master.renditions[0].bandwidth is None


@pytest.mark.parametrize("time", ["2027-01-15T12:00:00", "yesterday", "9999-12-31T23:59:59-23:59"])
def test_an_invalid_time_or_one_without_a_zone_is_ignored(time: str) -> None:
    media = parse(LIVE.replace("2027-01-15T12:00:00.000+00:00", time))
    assert isinstance(media, Media)
    assert media.written_at is None or media.written_at > 0


@pytest.mark.parametrize("text", ["", "<html>", "#EXTM3U", "EXTM3U\n", "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n"])
def test_texts_that_are_not_playlists_are_refused(text: str) -> None:
    with pytest.raises(NoPlaylist):
        parse(text)


@given(st.lists(st.sampled_from([*LIVE.splitlines(), *MASTER.splitlines(), "\x00", "#EXTINF:x", "#EXT-X-"])))
def test_no_order_of_lines_crashes_the_reader(lines: list[str]) -> None:
    try:
        parse("\n".join(["#EXTM3U", *lines]))
    except NoPlaylist:
        return


def test_progress_counts_new_parts_and_ignores_new_signatures() -> None:
    signed = parse(LIVE.replace("8.ts", "8.ts?expires=1&sig=a"))
    signed_anew = parse(LIVE.replace("8.ts", "8.ts?expires=2&sig=b"))
    longer = parse(f'{LIVE}#EXT-X-PART:DURATION=0.5,URI="9.0.ts"\n#EXT-X-PART:DURATION=0.5,URI="9.1.ts"\n')
    assert isinstance(signed, Media)
    assert isinstance(signed_anew, Media)
    assert isinstance(longer, Media)
    assert signed.position == signed_anew.position == AT
    assert longer.position == Position(7, 2, 2, "8.ts")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('A=1,B="x,y=z",C-2=', {"A": "1", "B": "x,y=z", "C-2": ""}),
        (" A=1 ,  B=2", {"A": "1 ", "B": "2"}),
        ("lower=1,A=2", {"A": "2"}),
        ("AAAA,B=2", {"B": "2"}),
        ('A="never closed,B=2', {"B": "2"}),
        ('A="x"y,B=2', {"B": "2"}),
        (",,=,A=2,", {"A": "2"}),
        ("", {}),
    ],
)
def test_an_invalid_attribute_does_not_affect_the_others(text: str, found: dict[str, str]) -> None:
    assert attributes(f"#EXT-X-STREAM-INF:{text}") == found


def test_a_line_that_no_player_could_use_is_ignored() -> None:
    assert parse(f"{LIVE}{'9' * (LONGEST_LINE + 1)}.ts\n") == parse(LIVE)


def test_a_playlist_with_too_many_lines_is_refused() -> None:
    assert isinstance(parse(LIVE + "#\n" * (MOST_LINES - LIVE.count("\n"))), Media)
    with pytest.raises(NoPlaylist):
        parse(LIVE + "#\n" * MOST_LINES)


TAGS = ["EXTINF"] + [
    f"EXT-X-{name}"
    for name in (
        "ALLOW-CACHE", "BITRATE", "BYTERANGE", "CONTENT-STEERING", "DATERANGE", "DEFINE", "DISCONTINUITY-SEQUENCE",
        "ENDLIST", "GAP", "I-FRAME-STREAM-INF", "KEY", "MAP", "MEDIA", "MEDIA-SEQUENCE", "PART", "PART-INF",
        "PLAYLIST-TYPE", "PRELOAD-HINT", "PROGRAM-DATE-TIME", "RENDITION-REPORT", "SERVER-CONTROL", "SESSION-DATA",
        "SESSION-KEY", "SKIP", "START", "STREAM-INF", "TARGETDURATION", "VERSION",
    )
]  # fmt: skip
pieces = st.text(st.sampled_from('AZ09-=",. \t#:/?eETx\u00e9'), min_size=1, max_size=8)


def seconds_for(text: str) -> float:
    """Return the processor time of parsing, the minimum of three, to exclude other load of the machine."""
    taken = []
    for _ in range(3):
        began = time.thread_time()
        with suppress(NoPlaylist):
            parse(text)
        taken.append(time.thread_time() - began)
    return min(taken)


@given(st.sampled_from(TAGS), pieces, pieces)
@settings(max_examples=150, deadline=None)
def test_parsing_time_is_linear_in_the_length_of_a_line(tag: str, piece: str, end: str) -> None:
    def one_line(length: int) -> str:
        line = f"#{tag}:{piece * (length // len(piece))}"[: length - len(end)]
        return f"#EXTM3U\n{line}{end}\na.ts\n" * 4

    short, long = (seconds_for(one_line(length)) for length in (LONGEST_LINE // 8, LONGEST_LINE))
    assert long < 32 * short + 0.01


@given(st.sampled_from(TAGS), pieces)
@settings(max_examples=30, deadline=None)
def test_parsing_time_is_linear_in_the_number_of_lines(tag: str, piece: str) -> None:
    line = f"#{tag}:{piece}\na.ts\n"
    few, many = (seconds_for("#EXTM3U\n" + line * count) for count in (500, 4000))
    assert many < 32 * few + 0.01


def test_the_line_that_once_took_a_minute_does_not_hang() -> None:
    assert seconds_for(f"#EXTM3U\n#EXT-X-STREAM-INF:{'A' * 60_000}\na.ts\n") < HANGS_AFTER_SECONDS
    assert seconds_for(f"#EXTM3U\n#EXT-X-STREAM-INF:{'A' * (LONGEST_LINE - 20)}\na.ts\n") < HANGS_AFTER_SECONDS
