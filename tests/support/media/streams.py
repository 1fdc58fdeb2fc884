"""Stream folders whose files all name the event that they belong to."""

import os
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

PLAYLIST = "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n1.ts\n#EXT-X-ENDLIST\n"


@dataclass(frozen=True)
class Folder:
    """A stream folder on disk; all its files contain `mark`."""

    event_id: str
    path: Path
    mark: str

    @property
    def url(self) -> str:
        return f"/streams/{self.event_id}"


def make_folder(stream_root: Path, event_id: str | None = None) -> Folder:
    event_id = event_id or str(uuid4())
    folder = Folder(event_id, stream_root / event_id, f"mark-of-{event_id}")
    folder.path.mkdir(parents=True)
    put(folder, "stream.m3u8", f"{PLAYLIST}# {folder.mark}\n")
    put(folder, "low/stream.m3u8", f"{PLAYLIST}# {folder.mark}\n")
    for name in (
        "1.ts",
        "low/1.ts",
        "init.mp4",
        "1.m4s",
        "enc.key",
        "en.vtt",
        "poster.jpg",
        "secret.txt",
        ".hidden.ts",
    ):
        put(folder, name, folder.mark * 50)
    return folder


def put(folder: Folder, name: str, text: str) -> None:
    """Write by rename, as a correct encoder does."""
    target = folder.path / name
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.tmp")
    temporary.write_text(text)
    os.replace(temporary, target)  # noqa: PTH105 - clearer than pathlib's order of arguments
