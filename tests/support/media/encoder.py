"""A real ffmpeg encoder that can be killed and restarted, with each way of naming its files."""

import re
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from control_plane.ops.binaries import find_ffmpeg
from tests.support.media.video import FRAMES_PER_SECOND, SEGMENT_SECONDS
from tests.support.waiting import eventually

_RECIPE: Final = Path(__file__).parents[3] / "streams/README.md"
_HLS: Final = (
    "-c:v libx264 -preset ultrafast -g 50 -c:a aac -f hls -hls_time 2 -hls_list_size 10 "
    "-hls_flags temp_file+delete_segments+independent_segments -hls_segment_filename"
)


def _recipe() -> str:
    """Return the ffmpeg options that streams/README.md recommends."""
    found = re.search(r"^ffmpeg -i INPUT (.+?) stream\.m3u8$", _RECIPE.read_text(), re.MULTILINE | re.DOTALL)
    assert found, "the recipe is not there any more"
    return found[1]


_NAMED: Final = {
    "append_list, as our recipe has it": _recipe(),
    "continuing numbers": f"{_HLS} '%d.ts' -start_number $(date +%s)",
    "again from 0": f"{_HLS} '%d.ts'",
    "time stamps": f"{_HLS} '%s.ts' -strftime 1",
    "a new init segment": f"{_HLS} '%d.m4s' -hls_segment_type fmp4",
}
NAMINGS: Final = tuple(_NAMED)


@dataclass
class Encoder:
    """Writes a live stream into its folder in real time."""

    folder: Path
    naming: str
    size: str = "320x180"
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    def start(self, size: str | None = None) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        picture = f"testsrc2=size={size or self.size}:rate={FRAMES_PER_SECOND}"
        inputs = f"-re -f lavfi -i {picture} -re -f lavfi -i sine=frequency=440"
        ours = f"-pix_fmt yuv420p -g {SEGMENT_SECONDS * FRAMES_PER_SECOND}"
        command = f"exec '{find_ffmpeg()}' -v error {inputs} {_NAMED[self.naming]} {ours} stream.m3u8"
        self._process = subprocess.Popen(["bash", "-c", command], cwd=self.folder, stdin=subprocess.DEVNULL)

    def stop(self) -> None:
        """Let it finish its stream with EXT-X-ENDLIST."""
        if self._process:
            self._process.terminate()
            self._process.wait(20)

    def kill(self) -> None:
        """Kill it in the middle of a segment, like a crash."""
        if self._process:
            self._process.kill()
            self._process.wait(10)

    @property
    def segments(self) -> int:
        playlist = self.folder / "stream.m3u8"
        return playlist.read_text().count("#EXTINF") if playlist.exists() else 0

    def has_begun(self) -> None:
        eventually(lambda: self.segments >= 3, within=40, what=f"the stream with {self.naming} has begun")

    def has_moved_on(self) -> None:
        """Wait until the oldest segments have left the playlist."""
        eventually(
            lambda: re.search(
                r"^#EXT-X-MEDIA-SEQUENCE:([5-9]|\d\d)$", (self.folder / "stream.m3u8").read_text(), re.MULTILINE
            ),
            within=60,
            what=f"the window of the stream with {self.naming} moves on",
        )
