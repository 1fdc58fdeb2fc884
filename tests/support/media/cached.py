"""Read the cache of a running gate: nginx and others may remove or rename any file meanwhile."""

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path


def files_in(folder: Path) -> Iterator[tuple[Path, bytes]]:
    """Return each file with its content."""
    for base, _, names in os.walk(folder):
        for path in (Path(base) / name for name in names):
            with suppress(FileNotFoundError):
                if path.is_file():
                    yield path, path.read_bytes()


def cached_files(home: Path, zone: str = "") -> list[bytes]:
    """Return the content of each file in the cache of a gate's home, or in one of its zones."""
    return [content for _, content in files_in(home / "cache" / zone)]


def cached_events(home: Path, name: str = "") -> set[str]:
    """Return the ids of events with cached files, or with a file whose path begins with `name`."""
    found = (re.search(rb"\nKEY: /(.{36})/" + re.escape(name.encode()), content) for content in cached_files(home))
    return {match[1].decode() for match in found if match}
