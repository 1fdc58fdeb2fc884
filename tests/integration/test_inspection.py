"""Inspections of whole streams of real files from ffmpeg: files that would not play are named."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import anyio
import pytest

from control_plane.clock import utc_now
from control_plane.ops.binaries import find_ffmpeg
from control_plane.streams.addresses import Address
from control_plane.streams.event_status import Stream
from control_plane.streams.faults import FaultReason, Severity
from control_plane.streams.inspection import Inspection, inspect
from control_plane.streams.playlist_reader import FetchedPlaylist
from control_plane.streams.stream_files import FolderFiles
from control_plane.tables import Event, new_id

pytestmark = pytest.mark.anyio
SEGMENT = "#EXTINF:1,\nstream0.ts\n#EXT-X-ENDLIST\n"
HEADING = "#EXTM3U\n#EXT-X-TARGETDURATION:2\n"
AVC, AAC = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p"), ("-c:a", "aac")
FMP4 = ("-hls_segment_type", "fmp4")
ENCODINGS = {
    "avc": (*AVC, *AAC),
    "avc in fMP4": (*AVC, *AAC, *FMP4),
    "mp3": (*AVC, "-c:a", "libmp3lame"),
    "hevc": ("-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=none", *AAC),
    "hevc in fMP4": (*("-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=none"), *AAC, *FMP4),
    "mpeg2": ("-c:v", "mpeg2video", "-c:a", "mp2"),
    "dolby": (*AVC, "-c:a", "ac3"),
    "dolby in fMP4": (*AVC, "-c:a", "eac3", *FMP4),
    "ten bits": ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p10le", *AAC),
}
FOUND: dict[str, dict[str, FaultReason | None]] = {
    "avc": {"H.264": None, "AAC": None},
    "avc in fMP4": {"H.264": None, "AAC": None},
    "mp3": {"H.264": None, "MP3": None},
    "hevc": {"HEVC (H.265)": FaultReason.CODEC, "AAC": None},
    "hevc in fMP4": {"HEVC (H.265)": FaultReason.CODEC, "AAC": None},
    "mpeg2": {"MPEG-2 video": FaultReason.CODEC, "MPEG audio layer II (MP2)": FaultReason.CODEC},
    "dolby": {"H.264": None, "Dolby Digital (AC-3)": FaultReason.CODEC},
    "dolby in fMP4": {"H.264": None, "Dolby Digital Plus (E-AC-3)": FaultReason.CODEC},
    "ten bits": {"H.264 High 10": FaultReason.CODEC, "AAC": None},
}


def encode(folder: Path, *encoding: str, seconds: int = 2) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    source = ("-f", "lavfi", "-i", "testsrc2=size=160x90:rate=25", "-f", "lavfi", "-i", "sine=frequency=440")
    hls = ("-g", "25", "-f", "hls", "-hls_time", "1", "-hls_playlist_type", "vod", "stream.m3u8")
    command = (find_ffmpeg(), "-v", "error", *source, "-t", str(seconds), *encoding, *hls)
    subprocess.run(command, cwd=folder, check=True, stdin=subprocess.DEVNULL)


@pytest.fixture(scope="module")
def encoded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a small recording in H.264 and AAC: stream0.ts, stream1.ts."""
    folder = tmp_path_factory.mktemp("encoded")
    encode(folder, *ENCODINGS["avc"])
    return folder


@pytest.fixture
def folder(encoded: Path, tmp_path: Path) -> Path:
    for name in ("stream0.ts", "stream1.ts"):
        (tmp_path / name).write_bytes((encoded / name).read_bytes())
    return tmp_path


async def look(folder: Path, pause: Callable[[float], object] = lambda _: None) -> Inspection:
    event = Event(id=new_id(), starts_at=utc_now(), ends_at=utc_now(), tokens_not_before=0, is_active=True)

    async def wait(seconds: float) -> None:
        pause(seconds)
        await anyio.lowlevel.checkpoint()

    return await inspect(FolderFiles(event, utc_now, folder), wait)


def reported_faults(found: Inspection) -> set[tuple[str, FaultReason]]:
    return {(fault.file, fault.reason) for fault in found.faults}


def write(folder: Path, **playlists: str) -> None:
    for name, text in playlists.items():
        (folder / f"{name}.m3u8").write_text(text)


@pytest.mark.parametrize("name", ENCODINGS)
async def test_the_codecs_of_a_stream_are_read_from_its_bytes(tmp_path: Path, name: str) -> None:
    encode(tmp_path, *ENCODINGS[name])
    found = await look(tmp_path)
    assert found.stream is Stream.COMPLETE
    [seen] = found.renditions
    assert {codec.name for codec in seen.codecs} == FOUND[name].keys()
    assert seen.bit_rate
    assert seen.bit_rate > 10_000
    blamed = {codec for codec in FOUND[name] for fault in found.faults if codec in fault.sentence}
    assert blamed == {codec for codec, reason in FOUND[name].items() if reason}
    assert (found.problem is None) is not bool(blamed)


async def test_every_rendition_is_read_and_each_file_that_does_not_play_is_named(folder: Path) -> None:
    master = """#EXTM3U
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="German",URI="audio/de.m3u8"
#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID="s",NAME="English",URI="subs.m3u8"
#EXT-X-STREAM-INF:BANDWIDTH=900000,RESOLUTION=160x90,CODECS="avc1.42c01e,mp4a.40.2",AUDIO="a",SUBTITLES="s"
good.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=500000,RESOLUTION=80x45
missing.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=400000
low rate.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=300000
names.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=200000
locked.m3u8
#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=1,URI="images.m3u8"
"""
    end = "#EXT-X-ENDLIST\n"
    names = ["seg:12.ts", "https://cdn.example/1.ts?sig=secret"]
    locked = '#EXT-X-KEY:METHOD=AES-128,URI="enc.key"\n#EXT-X-MAP:URI="init.mp4"\n'
    write(
        folder,
        stream=master,
        good=f"{HEADING}#EXTINF:1,\nstream0.ts\n#EXTINF:1,\nstream1.ts\n{end}",
        names=HEADING + "".join(f"#EXTINF:1,\n{name}\n" for name in names) + end,
        locked=f"{HEADING}{locked}#EXTINF:1,\nstream0.ts\n#EXTINF:1,\nempty.ts\n{end}",
        subs=f"{HEADING}#EXTINF:1,\nen.vtt\n{end}",
    )
    (folder / "empty.ts").touch()
    (folder / "en.vtt").write_text("<html>not found</html>")
    found = await look(folder)
    assert reported_faults(found) == {
        ("audio/de.m3u8", FaultReason.MISSING),
        ("missing.m3u8", FaultReason.MISSING),
        ("low rate.m3u8", FaultReason.NAME),
        ("seg:12.ts", FaultReason.NAME),
        ("https://cdn.example/1.ts", FaultReason.ELSEWHERE),
        ("enc.key", FaultReason.MISSING),
        ("init.mp4", FaultReason.MISSING),
        ("empty.ts", FaultReason.EMPTY),
        ("en.vtt", FaultReason.NOT_MEDIA),
        ("images.m3u8", FaultReason.MISSING),
    }
    by_file = {fault.file: fault for fault in found.faults}
    assert by_file["images.m3u8"].severity is Severity.WARNING
    assert "stream.m3u8 lists it as a variant (80x45)" in by_file["missing.m3u8"].sentence
    assert "locked.m3u8 lists it as its newest segment" in by_file["empty.ts"].sentence
    assert "secret" not in str(found.faults)


async def test_a_codec_that_the_master_misstates_is_reported_and_is_milder_next_to_a_playable_one(folder: Path) -> None:
    encode(folder / "hevc", *ENCODINGS["hevc"])
    line = '#EXT-X-STREAM-INF:BANDWIDTH=1,CODECS="avc1.42c01e,mp4a.40.2"\n'
    good = f"{HEADING}#EXTINF:1,\nstream0.ts\n#EXT-X-ENDLIST\n"
    write(folder, stream=f"#EXTM3U\n{line}hevc/stream.m3u8\n{line}good.m3u8\n", good=good)
    [fault] = (await look(folder)).faults
    assert (fault.file, fault.reason, fault.severity) == ("hevc/stream.m3u8", FaultReason.CODEC, Severity.WARNING)
    assert "although the master playlist says otherwise" in fault.sentence


@pytest.mark.parametrize(
    ("body", "faults"),
    [
        ("#EXT-X-PLAYLIST-TYPE:VOD\n#EXTINF:1,\nstream0.ts\n", {("stream.m3u8", FaultReason.NO_END)}),
        ("#EXTINF:3.5,\nstream0.ts\n#EXT-X-ENDLIST\n", {("stream.m3u8", FaultReason.TOO_LONG)}),
        ("#EXTINF:2.4,\nstream0.ts\n#EXT-X-ENDLIST\n", set()),
        (
            '#EXT-X-KEY:METHOD=SAMPLE-AES,URI="k.key"\n#EXTINF:1,\nstream0.ts\n#EXT-X-ENDLIST\n',
            {("stream.m3u8", FaultReason.ENCRYPTION)},
        ),
        (
            f'#EXT-X-KEY:METHOD=AES-128,URI="k.key",KEYFORMAT="com.apple.streamingkeydelivery"\n{SEGMENT}',
            {("stream.m3u8", FaultReason.ENCRYPTION)},
        ),
        (
            '#EXT-X-KEY:METHOD=AES-128,URI="short.key"\n#EXTINF:1,\nstream0.ts\n#EXT-X-ENDLIST\n',
            {("short.key", FaultReason.KEY)},
        ),
        ("#EXTINF:1,\n../x/stream0.ts\n#EXT-X-ENDLIST\n", {("../x/stream0.ts", FaultReason.OUTSIDE)}),
        ("#EXTINF:1,\nlink.ts\n#EXT-X-ENDLIST\n", {("link.ts", FaultReason.REFUSED)}),
        ("#EXTINF:1,\n#EXT-X-BYTERANGE:1000@188\nstream0.ts\n#EXT-X-ENDLIST\n", set()),
    ],
)
async def test_each_kind_of_fault_has_its_own_name(
    folder: Path, body: str, faults: set[tuple[str, FaultReason]]
) -> None:
    write(folder, stream=HEADING + body)
    (folder / "short.key").write_bytes(b"fifteen bytes..")
    (folder / "k.key").write_bytes(b"k" * 16)
    (folder / "link.ts").symlink_to(folder / "stream0.ts")
    assert faults <= reported_faults(await look(folder)) <= faults | {("stream.m3u8", FaultReason.TOO_OLD)}


async def test_another_name_of_the_playlist_is_found(folder: Path) -> None:
    write(folder, index=HEADING)
    [fault] = (await look(folder)).faults
    assert fault.reason is FaultReason.MISSING
    assert "index.m3u8 exists" in fault.sentence


def live(number: int) -> str:
    return f"{HEADING}#EXT-X-MEDIA-SEQUENCE:{number}\n#EXTINF:1,\nstream0.ts\n#EXTINF:1,\nstream1.ts\n"


async def test_a_live_stream_advances_and_a_stalled_rendition_is_named(folder: Path) -> None:
    line = "#EXT-X-STREAM-INF:BANDWIDTH=1\n"
    write(folder, stream=f"#EXTM3U\n{line}high.m3u8\n{line}low.m3u8\n", high=live(0), low=live(0))
    found = await look(folder, lambda _: write(folder, high=live(1), low=live(1)))
    assert (found.stream, found.problem) == (Stream.MOVING, None)
    assert all(seen.latency is not None and seen.latency < 600 for seen in found.renditions)
    found = await look(folder, lambda _: write(folder, high=live(2)))
    assert (found.stream, reported_faults(found)) == (Stream.MOVING, {("low.m3u8", FaultReason.STANDS_STILL)})
    found = await look(folder)
    assert found.stream is Stream.STOPPED
    assert reported_faults(found) == {("high.m3u8", FaultReason.TOO_OLD), ("low.m3u8", FaultReason.TOO_OLD)}
    write(folder, high=f"{live(2)}#EXT-X-ENDLIST\n")
    assert ("low.m3u8", FaultReason.NO_END) in reported_faults(await look(folder))


async def test_too_many_renditions_are_not_all_read(folder: Path) -> None:
    write(folder, good=f"{HEADING}#EXTINF:1,\nstream0.ts\n#EXT-X-ENDLIST\n")
    write(folder, stream="#EXTM3U\n" + "".join(f"#EXT-X-STREAM-INF:BANDWIDTH=1\ngood.m3u8?{n}\n" for n in range(500)))
    found = await look(folder)
    assert len(found.renditions) == 60
    assert reported_faults(found) == {("stream.m3u8", FaultReason.CUT_SHORT)}


async def test_a_slow_playlist_is_not_reported_as_standing_still(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two reads of a playlist must be at least as far apart as its changes."""
    write(folder, stream=live(1))
    clock, paused = [1000.0], list[float]()
    monkeypatch.setattr("control_plane.streams.inspection.anyio.current_time", lambda: clock[0])
    read_playlist = FolderFiles.page

    async def slowly(files: FolderFiles, address: Address) -> FetchedPlaylist:
        clock[0] += 60
        return await read_playlist(files, address)

    monkeypatch.setattr(FolderFiles, "page", slowly)
    await look(folder, paused.append)
    assert paused[0] > 1
