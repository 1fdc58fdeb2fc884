"""Real streams made by ffmpeg: a recording in two renditions, and a live stream that runs until it is stopped."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from control_plane.ops.binaries import find_ffmpeg
from tests.support.waiting import eventually

SEGMENT_SECONDS = 2
_SOUND = ("-f", "lavfi", "-i", "sine=frequency=440")
_INPUTS = ("-f", "lavfi", "-i", "testsrc2=size=640x360:rate=25", *_SOUND)
_SMALL = ("-f", "lavfi", "-i", "testsrc2=size=320x180:rate=25")
_ENCODING = (
    *("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", "50", "-c:a", "aac"),
    *("-f", "hls", "-hls_time", str(SEGMENT_SECONDS), "-hls_flags"),
)


def make_recording(folder: Path, seconds: int = 60) -> None:
    """Write a master playlist and two renditions of a recording."""
    folder.mkdir(parents=True, exist_ok=True)
    maps = ("-map", "0:v", "-map", "1:a", "-map", "0:v", "-map", "1:a")
    sizes = ("-s:v:0", "640x360", "-b:v:0", "300k", "-s:v:1", "320x180", "-b:v:1", "100k")
    names = ("-master_pl_name", "stream.m3u8", "-var_stream_map", "v:0,a:0 v:1,a:1", "%v/index.m3u8")
    command = (find_ffmpeg(), "-v", "error", *_INPUTS, "-t", str(seconds), *maps, *sizes, *_ENCODING)
    vod = ("temp_file", "-hls_playlist_type", "vod", "-hls_segment_filename", "%v/%d.ts")
    subprocess.run([*command, *vod, *names], cwd=folder, check=True, stdin=subprocess.DEVNULL)


def make_two_languages(folder: Path, seconds: int = 30) -> None:
    """Write a recording with one video and two audio renditions."""
    folder.mkdir(parents=True, exist_ok=True)
    maps = ("-map", "0:v", "-map", "1:a", "-map", "1:a", "-s", "320x180")
    streams = "a:0,agroup:a,language:en,default:yes a:1,agroup:a,language:de v:0,agroup:a"
    names = ("-master_pl_name", "stream.m3u8", "-var_stream_map", streams, "%v.m3u8")
    command = (find_ffmpeg(), "-v", "error", *_INPUTS, "-t", str(seconds), *maps, *_ENCODING)
    vod = ("temp_file", "-hls_playlist_type", "vod", "-hls_segment_filename", "%v_%d.ts")
    subprocess.run([*command, *vod, *names], cwd=folder, check=True, stdin=subprocess.DEVNULL)


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
