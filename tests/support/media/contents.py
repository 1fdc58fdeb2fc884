"""One small stream of each kind, made by ffmpeg, for the matrix of players."""

import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from control_plane.ops.binaries import find_ffmpeg
from tests.support.media.video import FRAMES_PER_SECOND, SEGMENT_SECONDS, live, make_recording

SECONDS: Final = 12
_PICTURE: Final = f"testsrc2=size=320x180:rate={FRAMES_PER_SECOND}"
_SOURCE: Final = ("-f", "lavfi", "-i", _PICTURE, "-f", "lavfi", "-i", "sine=frequency=440")
_GROUP: Final = str(SEGMENT_SECONDS * FRAMES_PER_SECOND)
_CODECS: Final = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", _GROUP, "-c:a", "aac")
_HLS: Final = ("-f", "hls", "-hls_time", str(SEGMENT_SECONDS), "-hls_playlist_type", "vod")
_FMP4: Final = ("-hls_segment_type", "fmp4")
_WORDS: Final = "WEBVTT\n\n00:00.000 --> 00:12.000\nEvery word of it\n"


@dataclass(frozen=True)
class Content:
    """One kind of stream. `asks_for` is a file, besides playlists, that a player must request to show all of it."""

    make: Callable[[Path], None]
    asks_for: str


def _encode(folder: Path, *options: str) -> None:
    command = (find_ffmpeg(), "-v", "error", *_SOURCE, "-t", str(SECONDS), *_CODECS, *_HLS, *options, "stream.m3u8")
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(command, cwd=folder, check=True, stdin=subprocess.DEVNULL)


def _renditions(folder: Path) -> None:
    make_recording(folder, SECONDS)


def _fmp4(folder: Path) -> None:
    _encode(folder, *_FMP4, "-hls_fmp4_init_filename", "init.mp4", "-hls_segment_filename", "%d.m4s")


def _ranges(folder: Path) -> None:
    """Write all segments into one file; the playlist lists byte ranges of it (RFC 8216 section 4.3.2.2)."""
    _encode(folder, *_FMP4, "-hls_flags", "single_file", "-hls_segment_filename", "whole.mp4")


def _encrypted(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "enc.key").write_bytes(bytes(range(16)))
    info = folder.with_name(f"{folder.name}.keyinfo")
    info.write_text(f"enc.key\n{folder / 'enc.key'}\n")
    _encode(folder, "-hls_key_info_file", str(info), "-hls_segment_filename", "%d.ts")
    info.unlink()


def _subtitles(folder: Path) -> None:
    _encode(folder / "video", "-hls_segment_filename", "%d.ts")
    (folder / "video" / "stream.m3u8").rename(folder / "video" / "index.m3u8")
    (folder / "words").mkdir()
    (folder / "words" / "0.vtt").write_text(_WORDS)
    head = f"#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:{SECONDS}\n#EXT-X-PLAYLIST-TYPE:VOD\n"
    (folder / "words" / "index.m3u8").write_text(f"{head}#EXTINF:{SECONDS},\n0.vtt\n#EXT-X-ENDLIST\n")
    words = 'TYPE=SUBTITLES,GROUP-ID="words",NAME="English",LANGUAGE="en",DEFAULT=YES,AUTOSELECT=YES'
    variant = 'BANDWIDTH=500000,CODECS="avc1.42c00d,mp4a.40.2",RESOLUTION=320x180,SUBTITLES="words"'
    (folder / "stream.m3u8").write_text(
        f'#EXTM3U\n#EXT-X-MEDIA:{words},URI="words/index.m3u8"\n#EXT-X-STREAM-INF:{variant}\nvideo/index.m3u8\n'
    )


def _rooted(folder: Path) -> None:
    """Name segments by absolute paths, which a path token does not cover."""
    _encode(folder, "-hls_segment_filename", "%d.ts", "-hls_base_url", f"/streams/{folder.name}/")


RECORDED: Final = {
    "renditions": Content(_renditions, ".ts"),
    "fmp4": Content(_fmp4, "init.mp4"),
    "ranges": Content(_ranges, "whole.mp4"),
    "subtitles": Content(_subtitles, ".ts"),
    "encrypted": Content(_encrypted, "enc.key"),
    "rooted": Content(_rooted, ".ts"),
}
CONTENTS: Final = (*RECORDED, "live")


def asked_for(content: str) -> str:
    return RECORDED[content].asks_for if content in RECORDED else ".ts"


@contextmanager
def contents(folder_of: Callable[[str], Path]) -> Iterator[None]:
    """Create all of them; the live stream continues until the block ends."""
    for name, content in RECORDED.items():
        content.make(folder_of(name))
    with live(folder_of("live")):
        yield
