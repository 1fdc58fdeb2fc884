"""What a gate that runs keeps on disk: nginx and others may remove or rename any file while somebody looks."""

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path


def files_in(folder: Path) -> Iterator[tuple[Path, bytes]]:
    """Give each file with its content."""
    for base, _, names in os.walk(folder):
        for path in (Path(base) / name for name in names):
            with suppress(FileNotFoundError):
                if path.is_file():
                    yield path, path.read_bytes()


def cached_files(home: Path, zone: str = "") -> list[bytes]:
    """Give the content of each file in the cache of a gate's home, or in one zone of it."""
    return [content for _, content in files_in(home / "cache" / zone)]


def cached_events(home: Path, name: str = "") -> set[str]:
    """Give the events that the cache holds anything of, or a file whose path begins so."""
    found = (re.search(rb"\nKEY: /(.{36})/" + re.escape(name.encode()), content) for content in cached_files(home))
    return {match[1].decode() for match in found if match}
