"""nginx's segment cache: measure its size, and purge the files of an event.

The sidecar runs as the cache's owner. It must never block the event loop, nor remove a file of another event.
"""

import asyncio
import hmac
import os
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

_EVENT_ID: Final = re.compile(rb"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_KEY: Final = re.compile(rb"\nKEY: /(%s)/" % _EVENT_ID.pattern)  # nginx/locations/origin.conf: keys begin with the path
_HEAD_BYTES: Final = 1024  # nginx's binary header is some 340 bytes; the key's line comes right after it
_FILES_PER_PAUSE: Final = 100  # after so many files the thread pauses, so that the one that answers nginx can run
_PAUSE_SECONDS: Final = 0.002
_FIGURES_SECONDS: Final = 15.0
_MEASURE_WAIT_SECONDS: Final = 0.5  # how long /health waits for figures
_MEGABYTE: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class CacheFigures:
    events: int
    megabytes: int


@dataclass(slots=True)
class SegmentCache:
    """The folder that contains nginx's cache folders. Files may appear and vanish while it is read."""

    root: Path
    _events: dict[str, bytes] = field(default_factory=dict)  # by file name, which is the key's digest
    _figures: CacheFigures | None = None
    _measured_at: float = float("-inf")
    _measuring: asyncio.Task[None] | None = None

    async def figures(self) -> CacheFigures | None:
        """Return figures at most 15 seconds old; older ones, or None, while a large cache is being measured."""
        if self._measuring is None and time.monotonic() - self._measured_at > _FIGURES_SECONDS:
            self._measuring = asyncio.create_task(self._measure_in_thread())
        if self._measuring is not None:
            await asyncio.wait([self._measuring], timeout=_MEASURE_WAIT_SECONDS)
        return self._figures

    async def purge(self, event_id: bytes) -> None:
        await asyncio.to_thread(self._purge, event_id)
        self._measured_at = float("-inf")

    async def _measure_in_thread(self) -> None:
        try:
            self._figures = await asyncio.to_thread(self._measure)
        finally:
            self._measured_at = time.monotonic()
            self._measuring = None

    def _measure(self) -> CacheFigures:
        known, size = {}, 0
        for file in _files(self.root):
            event_id = self._events.get(file.name) or _event_of(file.path)
            if event_id:
                known[file.name] = event_id
                size += _size(file)
        self._events = known
        return CacheFigures(len(set(known.values())), round(size / _MEGABYTE))

    def _purge(self, event_id: bytes) -> None:
        for file in _files(self.root):
            if _event_of(file.path) == event_id:
                Path(file.path).unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class Purge:
    """DELETE /cache/<event id>: 204, also if there was nothing; 401 without the internal key, 404 for other ids."""

    cache: SegmentCache | None
    internal_key: bytes

    async def answer(self, request: Request) -> Response:
        key = request.headers.get("x-internal-api-key", "").encode("latin-1")
        if not hmac.compare_digest(key, self.internal_key):
            return _refusal(401, "Wrong key")
        event_id = request.path_params["event_id"].encode()
        if not _EVENT_ID.fullmatch(event_id):
            return _refusal(404, "Not found")
        if self.cache:
            await self.cache.purge(event_id)
        return Response(status_code=204)


def _refusal(status: int, sentence: str) -> JSONResponse:
    return JSONResponse({"error": sentence}, status, {"Cache-Control": "no-store"})


def _files(folder: Path) -> Iterator[os.DirEntry[str]]:
    """Yield every file below the folder, with short pauses: Python's threads share one lock."""
    for number, file in enumerate(_walk(folder)):
        if number % _FILES_PER_PAUSE == 0:
            time.sleep(_PAUSE_SECONDS)
        yield file


def _walk(folder: Path | str) -> Iterator[os.DirEntry[str]]:
    for entry in _entries(folder):
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(entry.path)
        else:
            yield entry


def _entries(folder: Path | str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except FileNotFoundError:
        return []


def _event_of(path: str) -> bytes | None:
    """Return the event id from the key line in the header that nginx writes; None if this is not a cache file."""
    try:
        with Path(path).open("rb", buffering=0) as file:
            found = _KEY.search(file.read(_HEAD_BYTES) or b"")
    except FileNotFoundError:
        return None
    return found[1] if found else None


def _size(file: os.DirEntry[str]) -> int:
    try:
        return file.stat(follow_symlinks=False).st_size
    except FileNotFoundError:
        return 0
