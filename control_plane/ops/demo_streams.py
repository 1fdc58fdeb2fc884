"""The streams of the demo: a two-minute recording and an endless live stream, each with a clock and a beep.

They are encoded where the demo runs, so that no video has to be shipped. The recording is renamed into place when it is
complete, live playlists are replaced by rename, and the name of a segment is never used twice.

`python -m control_plane.ops.demo_streams FOLDER` runs the live encoder.
"""

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from control_plane.errors import OperatorError
from control_plane.ops.binaries import find_ffmpeg

MASTER = "stream.m3u8"
RECORDING_SECONDS = 120
_SEGMENT_SECONDS = 2
_LIVE_WINDOW_SEGMENTS = 30
_FRAMES_PER_SECOND = 25
_FONTS = Path(__file__).parents[1] / "web" / "static" / "vendor" / "fonts"
_COLOURS = "seed=7:c0=0x0B1220:c1=0x17388A:c2=0x0C4A5E:c3=0x1E1B4B:nb_colors=4"
_BEEP = "0.12*sin(2*PI*(660+220*eq(mod(floor(t),10),0))*t)*exp(-9*mod(t,1))"


@dataclass(frozen=True, slots=True)
class DemoRendition:
    width: int
    height: int
    kilobits: int  # maximum per second

    @property
    def name(self) -> str:
        return f"{self.height}p"


@dataclass(frozen=True, slots=True)
class Picture:
    subtitle: str
    clock: str  # a drawtext expansion
    renditions: tuple[DemoRendition, ...]  # largest first


RECORDING = Picture(
    "A recording of two minutes",
    r"%{pts\:gmtime\:0\:%T}",
    (DemoRendition(1280, 720, 2500), DemoRendition(640, 360, 900)),
)
LIVE = Picture("Live, right now", r"%{localtime\:%T}", (DemoRendition(960, 540, 1500), DemoRendition(480, 270, 600)))


def has_recording(folder: Path) -> bool:
    return (folder / MASTER).is_file()


def make_recording(folder: Path, on_progress: Callable[[float], None]) -> None:
    """Encode beside `folder` and rename into place. `on_progress` is called with 0 to 1. Raise OperatorError."""
    temporary = folder.with_name(f".{folder.name}.making")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    try:
        _encode(_recording_arguments(find_ffmpeg()), temporary, on_progress)
        _write_measured_bandwidths(temporary)
        shutil.rmtree(folder, ignore_errors=True)
        temporary.rename(folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def live_command(folder: Path) -> tuple[str, ...]:
    return (sys.executable, "-m", "control_plane.ops.demo_streams", str(folder))


def become_live_encoder(folder: Path) -> None:
    """Replace this process by ffmpeg. It continues a recent stream; an older one is deleted first. Does not return."""
    folder.mkdir(parents=True, exist_ok=True)
    now = time.time()
    continues = _is_fresh(folder, now)
    if not continues:
        for stale in folder.iterdir():
            stale.unlink()
    os.chdir(folder)
    # ffmpeg continues the numbering of an existing playlist only if it is not below this number.
    arguments = _live_arguments(find_ffmpeg(), start_number=0 if continues else int(now))
    os.execv(arguments[0], arguments)  # noqa: S606  no shell is wanted


def _is_fresh(folder: Path, now: float) -> bool:
    """Return whether all playlists were written within the live window: viewers may still be watching."""
    playlists = [folder / f"{rendition.name}.m3u8" for rendition in LIVE.renditions]
    oldest = min((file.stat().st_mtime if file.exists() else 0) for file in playlists)
    return now - oldest < _LIVE_WINDOW_SEGMENTS * _SEGMENT_SECONDS


def _recording_arguments(ffmpeg: str) -> list[str]:
    duration = ["-t", str(RECORDING_SECONDS)]
    output = ["-hls_playlist_type", "vod", "-hls_flags", "temp_file+independent_segments"]
    progress = ["-progress", "pipe:1"]
    return [*_arguments(ffmpeg, RECORDING, []), *duration, *progress, *output, *_files(RECORDING)]


def _live_arguments(ffmpeg: str, start_number: int) -> list[str]:
    """Take segment numbers from the clock: a restart must not reuse a name that a player or a cache may hold."""
    flags = "append_list+temp_file+delete_segments+independent_segments+program_date_time+omit_endlist"
    output = [
        *("-hls_list_size", str(_LIVE_WINDOW_SEGMENTS)),
        *("-hls_delete_threshold", "5"),
        *("-start_number", str(start_number)),
        *("-hls_flags", flags),
    ]
    return [*_arguments(ffmpeg, LIVE, ["-re"]), *output, *_files(LIVE)]


def _arguments(ffmpeg: str, picture: Picture, pace: list[str]) -> list[str]:
    can_draw = _can_draw(ffmpeg)
    source = _drawn_source(picture) if can_draw else _plain_source(picture)
    return [
        *(ffmpeg, "-hide_banner", "-nostdin", "-nostats", "-loglevel", "error"),
        *(*pace, "-f", "lavfi", "-i", source),
        *(*pace, "-f", "lavfi", "-i", f"aevalsrc='{_BEEP}':sample_rate=48000:channel_layout=mono"),
        *("-filter_complex", _split(picture)),
        *_codecs(picture),
        *("-f", "hls", "-hls_time", str(_SEGMENT_SECONDS)),
    ]


def _codecs(picture: Picture) -> list[str]:
    """Use the fastest preset: with a slower one, two renditions take all of two cores."""
    frames = str(_FRAMES_PER_SECOND * _SEGMENT_SECONDS)
    streams = [part for index in range(len(picture.renditions)) for part in ("-map", f"[v{index}]", "-map", "1:a")]
    limits = [
        part
        for index, rendition in enumerate(picture.renditions)
        for part in (f"-maxrate:v:{index}", f"{rendition.kilobits}k", f"-bufsize:v:{index}", f"{rendition.kilobits}k")
    ]
    video = ["-c:v", "libx264", "-preset", "ultrafast", "-crf", "24", "-g", frames, "-keyint_min", frames]
    return [*streams, *video, "-sc_threshold", "0", *limits, "-c:a", "aac", "-b:a", "96k", "-ac", "2"]


def _files(picture: Picture) -> list[str]:
    variants = " ".join(
        f"v:{index},a:{index},name:{rendition.name}" for index, rendition in enumerate(picture.renditions)
    )
    names = ["-hls_segment_filename", "%v_%05d.ts", "%v.m3u8"]
    return ["-var_stream_map", variants, "-master_pl_name", MASTER, *names]


def _split(picture: Picture) -> str:
    count = len(picture.renditions)
    copies = "".join(f"[c{index}]" for index in range(count))
    scaled = [
        f"[c{index}]scale={rendition.width}:{rendition.height}[v{index}]"
        for index, rendition in enumerate(picture.renditions)
    ]
    return ";".join([f"[0:v]split={count}{copies}", *scaled])


def _drawn_source(picture: Picture) -> str:
    largest = picture.renditions[0]
    text, figures = _escaped(_FONTS / "inter-latin.woff2"), _escaped(_FONTS / "jetbrains-mono-latin.woff2")
    height = largest.height
    # The gradient is drawn small and enlarged: at full size it would cost more than the encoding.
    return ",".join([
        f"gradients=size=320x180:{_COLOURS}:speed=0.006:rate={_FRAMES_PER_SECOND}",
        f"scale={largest.width}:{height}:flags=bicubic:out_range=tv,format=yuv420p",
        _text(text, "StreamGate", height // 8, 0.24),
        _text(text, picture.subtitle, height // 21, 0.41, alpha="0.75"),
        _text(figures, picture.clock, height // 6, 0.54),
        _text(text, "•", height // 7, 0.78, alpha="exp(-4*mod(t,1))"),
    ])  # fmt: skip


def _plain_source(picture: Picture) -> str:
    """Return a test pattern with a clock, for an ffmpeg that cannot draw text."""
    largest = picture.renditions[0]
    size = f"{largest.width}x{largest.height}"
    return f"testsrc=size={size}:rate={_FRAMES_PER_SECOND}:decimals=1,format=yuv420p"


def _text(font: str, text: str, size: int, y: float, **style: str) -> str:
    """Return a filter that draws a centred line of text; `y` is its top as a fraction of the height."""
    where = f"x=(w-text_w)/2:y=h*{y}"
    extra = "".join(f":{name}='{value}'" for name, value in style.items())
    return f"drawtext=fontfile={font}:text='{text}':fontsize={size}:fontcolor=white:{where}{extra}"


def _escaped(path: Path) -> str:
    """Escape a path as an option in a filter graph (two levels, see ffmpeg-filters(1))."""
    option = re.sub(r"([\\':])", r"\\\1", str(path))
    return re.sub(r"([\\'\[\],;])", r"\\\1", option)


def _can_draw(ffmpeg: str) -> bool:
    """Try to draw one frame: the filter may be missing, or the library that decompresses the fonts."""
    command = [ffmpeg, "-nostdin", "-loglevel", "quiet", "-f", "lavfi", "-i", _drawn_source(LIVE)]
    return subprocess.run([*command, "-frames:v", "1", "-f", "null", "-"], check=False).returncode == 0  # noqa: S603


def _encode(arguments: list[str], folder: Path, on_progress: Callable[[float], None]) -> None:
    with subprocess.Popen(arguments, cwd=folder, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL) as encoder:  # noqa: S603
        for done in _seconds_done(encoder):
            on_progress(min(1.0, done / RECORDING_SECONDS))
    if encoder.returncode != 0:
        raise OperatorError(f"ffmpeg could not make the recording: exit code {encoder.returncode}.")


def _seconds_done(encoder: subprocess.Popen[bytes]) -> Iterator[float]:
    for line in encoder.stdout or ():
        name, _, value = line.decode().strip().partition("=")
        if name == "out_time_us" and value.isdigit():
            yield int(value) / 1_000_000


def _write_measured_bandwidths(folder: Path) -> None:
    """Replace the limits that ffmpeg wrote by the measured peak and mean of the segments, in bits per second."""
    master = folder / MASTER
    text = re.sub(r",AVERAGE-BANDWIDTH=\d+", "", master.read_text(encoding="utf-8"))
    for rendition in RECORDING.renditions:
        sizes = [segment.stat().st_size * 8 for segment in folder.glob(f"{rendition.name}_*.ts")]
        peak, mean = max(sizes) // _SEGMENT_SECONDS, sum(sizes) // RECORDING_SECONDS
        resolution = f"RESOLUTION={rendition.width}x{rendition.height}"
        text = re.sub(rf"BANDWIDTH=\d+,{resolution}", f"BANDWIDTH={peak},AVERAGE-BANDWIDTH={mean},{resolution}", text)
    master.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    become_live_encoder(Path(sys.argv[1]))
