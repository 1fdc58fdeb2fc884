"""Real streams made by ffmpeg: a recording in two renditions, and a live stream that runs until it is stopped.

Recordings are encoded once and kept under `.setup`; tests get copies.
"""

import hashlib
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import mkdtemp
from typing import Final

from control_plane.ops.binaries import find_ffmpeg
from tests.support.waiting import eventually

SEGMENT_SECONDS: Final = 2
LONG_RECORDING: Final = 300  # seconds: longer than any test watches
FRAMES_PER_SECOND: Final = 10  # low, since several encoders and pages run at once
_KEPT: Final = Path(__file__).parents[3] / ".setup/media"
_SOUND = ("-f", "lavfi", "-i", "sine=frequency=440")
_INPUTS = ("-f", "lavfi", "-i", f"testsrc2=size=640x360:rate={FRAMES_PER_SECOND}", *_SOUND)
_SMALL = ("-f", "lavfi", "-i", f"testsrc2=size=320x180:rate={FRAMES_PER_SECOND}")
_ENCODING = (
    *("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p"),
    *("-g", str(SEGMENT_SECONDS * FRAMES_PER_SECOND), "-c:a", "aac"),
    *("-f", "hls", "-hls_time", str(SEGMENT_SECONDS), "-hls_flags"),
)
_TWO_PICTURES = (
    *("-map", "0:v", "-map", "1:a", "-map", "0:v", "-map", "1:a"),
    *("-s:v:0", "640x360", "-b:v:0", "300k", "-s:v:1", "320x180", "-b:v:1", "100k"),
)


def make_recording(folder: Path, seconds: int = 60) -> None:
    """Write a master playlist and two renditions of a recording."""
    names = ("-master_pl_name", "stream.m3u8", "-var_stream_map", "v:0,a:0 v:1,a:1", "%v/index.m3u8")
    _record(folder, seconds, *_TWO_PICTURES, *_ENCODING, *_on_demand("%v/%d.ts"), *names)


def make_two_languages(folder: Path, seconds: int = 30) -> None:
    """Write a recording with one video and two audio renditions."""
    maps = ("-map", "0:v", "-map", "1:a", "-map", "1:a", "-s", "320x180")
    streams = "a:0,agroup:a,language:en,default:yes a:1,agroup:a,language:de v:0,agroup:a"
    names = ("-master_pl_name", "stream.m3u8", "-var_stream_map", streams, "%v.m3u8")
    _record(folder, seconds, *maps, *_ENCODING, *_on_demand("%v_%d.ts"), *names)


def _on_demand(segments: str) -> tuple[str, ...]:
    return ("temp_file", "-hls_playlist_type", "vod", "-hls_segment_filename", segments)


def _record(folder: Path, seconds: int, *options: str) -> None:
    command = ("-v", "error", *_INPUTS, "-t", str(seconds), *options)
    kept = _KEPT / hashlib.sha256(repr(command).encode()).hexdigest()[:16]
    if not kept.exists():
        _encode(kept, command)
    shutil.copytree(kept, folder, dirs_exist_ok=True)


def _encode(kept: Path, options: tuple[str, ...]) -> None:
    """Make a folder that is whole as soon as it exists, also when two workers make it at the same time."""
    _KEPT.mkdir(parents=True, exist_ok=True)
    making = Path(mkdtemp(dir=_KEPT))
    try:
        subprocess.run((find_ffmpeg(), *options), cwd=making, check=True, stdin=subprocess.DEVNULL)
        making.chmod(0o755)
        with suppress(OSError):  # another worker was first
            making.rename(kept)
    finally:
        shutil.rmtree(making, ignore_errors=True)


@contextmanager
def live(folder: Path) -> Iterator[None]:
    """Write a live stream in real time until the block ends; the playlist is replaced by rename."""
    folder.mkdir(parents=True, exist_ok=True)
    real_time = ("-re", *_SMALL, "-re", *_SOUND)
    flags = ("temp_file+delete_segments", "-hls_list_size", "10", "-hls_segment_filename", "%d.ts", "stream.m3u8")
    command = (find_ffmpeg(), "-v", "error", *real_time, *_ENCODING, *flags)
    encoder = subprocess.Popen(command, cwd=folder, stdin=subprocess.DEVNULL)
    try:
        eventually((folder / "2.ts").exists, within=30, what="the live stream has begun")
        yield
    finally:
        encoder.terminate()
        encoder.wait(10)
