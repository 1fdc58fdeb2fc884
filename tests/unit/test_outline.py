"""The outline of a playlist: every rendition, and the files of each that are checked."""

from hypothesis import given
from hypothesis import strategies as st

from control_plane.streams.outline import (
    EncryptionKey,
    MediaResource,
    RenditionEntry,
    RenditionKind,
    entries_of,
    outline_of,
)

MASTER = """#EXTM3U
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="English",URI="en.m3u8"
#EXT-X-MEDIA:TYPE=CLOSED-CAPTIONS,GROUP-ID="c",NAME="English",INSTREAM-ID="CC1"
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="in the video itself"
#EXT-X-STREAM-INF:BANDWIDTH=900000,CODECS="avc1.64001f,mp4a.40.2",RESOLUTION=1280x720,AUDIO="a"
#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID="s",NAME="Deutsch",URI="de.m3u8"

high.m3u8
stray.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=many
low.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=1
high.m3u8
#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=5,URI="images.m3u8"
"""
MEDIA = """#EXTM3U
#EXT-X-TARGETDURATION:4
#EXT-X-MAP:URI="all.mp4",BYTERANGE="700@0"
#EXTINF:4,
#EXT-X-BYTERANGE:1000@700
all.mp4
#EXT-X-KEY:METHOD=AES-128,URI="one.key"
#EXTINF:3.5,a title, with a comma
#EXT-X-BYTERANGE:2000
all.mp4
#EXT-X-KEY:METHOD=NONE
#EXT-X-MAP:URI="other.mp4"
#EXTINF:2,
2.m4s
#EXT-X-PART:DURATION=0.5,URI="3.0.m4s"
#EXT-X-PART:DURATION=0.5,URI="3.1.m4s",INDEPENDENT=YES
"""


def test_a_master_playlist_lists_each_rendition_once_with_its_attributes() -> None:
    assert entries_of(MASTER) == (
        RenditionEntry("en.m3u8", RenditionKind.AUDIO, name="English"),
        RenditionEntry("de.m3u8", RenditionKind.SUBTITLES, name="Deutsch"),
        RenditionEntry("high.m3u8", RenditionKind.VIDEO, 900_000, "1280x720", "avc1.64001f,mp4a.40.2"),
        RenditionEntry("low.m3u8", RenditionKind.VIDEO),
        RenditionEntry("images.m3u8", RenditionKind.IMAGES, 5),
    )


def test_a_media_playlist_names_its_init_segments_keys_and_first_and_newest_pieces() -> None:
    found = outline_of(MEDIA)
    assert list(found.maps) == [MediaResource("all.mp4", 0, 700), MediaResource("other.mp4")]
    assert list(found.keys) == [EncryptionKey("AES-128", "one.key", "identity")]
    assert found.first == MediaResource("all.mp4", 700, 1000, 4.0)
    assert found.newest == MediaResource("2.m4s", seconds=2.0)
    assert found.newest_part == MediaResource("3.1.m4s", seconds=0.5)
    assert found.longest == found.first


def test_a_range_without_an_offset_follows_the_previous_one_and_is_encrypted_if_a_key_applies() -> None:
    found = outline_of(MEDIA.partition("#EXT-X-KEY:METHOD=NONE")[0])
    assert found.newest == MediaResource("all.mp4", 1700, 2000, 3.5, is_encrypted=True)


@given(st.lists(st.sampled_from([*MASTER.splitlines(), *MEDIA.splitlines()]), max_size=40), st.text(max_size=9))
def test_no_order_of_lines_and_no_damage_crashes_the_reader(lines: list[str], damage: str) -> None:
    for text in ("\n".join(lines), damage.join(lines), damage.join("\n".join(lines).split(","))):
        entries_of(text)
        outline_of(text)


def test_the_number_of_listed_files_is_bounded() -> None:
    many = "".join(f'#EXT-X-MAP:URI="{n}.mp4"\n#EXT-X-KEY:METHOD=AES-128,URI="{n}.key"\n' for n in range(1000))
    found = outline_of(many)
    assert (len(found.maps), len(found.keys)) == (20, 20)
