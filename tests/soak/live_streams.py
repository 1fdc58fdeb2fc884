"""Live streams as an encoder writes them: a segment per second, the playlist replaced by rename, old files removed."""

import asyncio
import os
from dataclasses import dataclass, field
from typing import Final

from tests.support.media.streams import Folder, put

_LISTED: Final = 5
_KEPT: Final = 15  # viewers may still request segments of an older playlist
_SEGMENT_BYTES: Final = 16_384


@dataclass
class LiveStream:
    folder: Folder
    newest: int = 0
    _filling: bytes = field(default_factory=lambda: os.urandom(_SEGMENT_BYTES))

    def advance(self) -> None:
        self.newest += 1
        (self.folder.path / f"{self.newest}.ts").write_bytes(self.folder.mark.encode() + self._filling)
        first = max(1, self.newest - _LISTED + 1)
        head = f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXT-X-MEDIA-SEQUENCE:{first}\n"
        listed = "".join(f"#EXTINF:1,\n{number}.ts\n" for number in range(first, self.newest + 1))
        put(self.folder, "stream.m3u8", f"{head}{listed}# {self.folder.mark}\n")
        (self.folder.path / f"{self.newest - _KEPT}.ts").unlink(missing_ok=True)

    def trouble_with(self, name: str, body: bytes) -> str | None:
        """Return what is wrong with a served file, or None; a torn playlist lacks its first or its last line."""
        mark = self.folder.mark.encode()
        if name.endswith(".ts"):
            return None if body.startswith(mark) and len(body) == len(mark) + _SEGMENT_BYTES else "a damaged segment"
        whole = body.startswith(b"#EXTM3U\n") and body.endswith(b"# " + mark + b"\n")
        return None if whole else "a torn playlist"


async def write_forever(streams: list[LiveStream]) -> None:
    while True:
        for stream in streams:
            stream.advance()
        await asyncio.sleep(1)
