"""Playlists: what is read from one, and that nothing in one makes the reader stumble."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from control_plane.streaming.playlists import Master, Media, NoPlaylist, Rendition, parse

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
MASTER = """#EXTM3U
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="en",URI="audio.m3u8"
#EXT-X-STREAM-INF:BANDWIDTH=465000,RESOLUTION=640x360,CODECS="avc1.42c01e,mp4a.40.2"

0/index.m3u8
#EXT-X-STREAM-INF:AVERAGE-BANDWIDTH=1
1/index.m3u8
#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=1,URI="iframes.m3u8"
"""


def test_a_live_playlist_says_how_long_its_parts_are_and_when_the_last_one_ended() -> None:
    assert parse(LIVE) == Media(2.0, 2, "8.ts", False, False, 1_800_014_403.5)


def test_the_end_of_a_playlist_and_what_it_keeps_are_seen() -> None:
    event = LIVE.replace("#EXT-X-VERSION:3", "#EXT-X-PLAYLIST-TYPE:EVENT")
    assert parse(event) == Media(2.0, 2, "8.ts", False, True, 1_800_014_403.5)
    ended = parse(f"{LIVE}#EXT-X-ENDLIST\n")
    assert isinstance(ended, Media)
    assert ended.is_complete


def test_windows_line_ends_and_a_byte_order_mark_change_nothing() -> None:
    assert parse("\ufeff" + LIVE.replace("\n", "\r\n")) == parse(LIVE)


def test_a_master_playlist_tells_its_variants_in_order() -> None:
    assert parse(MASTER) == Master(
        (
            Rendition("0/index.m3u8", 465_000, "640x360", "avc1.42c01e,mp4a.40.2"),
            Rendition("1/index.m3u8"),
        )
    )


@pytest.mark.parametrize("number", ["1e308", "nan", "-2", "two", "", "99999999999"])
def test_numbers_that_make_no_sense_are_none(number: str) -> None:
    with pytest.raises(NoPlaylist):
        parse(LIVE.replace("DURATION:2", f"DURATION:{number}"))
    master = parse(MASTER.replace("465000", number if number != "99999999999" else number * 3))
    assert isinstance(master, Master)
    assert master.renditions[0].bandwidth is None


@pytest.mark.parametrize("time", ["2027-01-15T12:00:00", "yesterday", "9999-12-31T23:59:59-23:59"])
def test_a_time_without_its_zone_or_sense_is_no_time(time: str) -> None:
    media = parse(LIVE.replace("2027-01-15T12:00:00.000+00:00", time))
    assert isinstance(media, Media)
    assert media.written_at is None or media.written_at > 0


@pytest.mark.parametrize("text", ["", "<html>", "#EXTM3U", "EXTM3U\n", "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n"])
def test_what_is_no_playlist_is_told_apart(text: str) -> None:
    with pytest.raises(NoPlaylist):
        parse(text)


@given(st.lists(st.sampled_from([*LIVE.splitlines(), *MASTER.splitlines(), "\x00", "#EXTINF:x", "#EXT-X-"])))
def test_no_order_of_lines_makes_the_reader_stumble(lines: list[str]) -> None:
    try:
        parse("\n".join(["#EXTM3U", *lines]))
    except NoPlaylist:
        return
