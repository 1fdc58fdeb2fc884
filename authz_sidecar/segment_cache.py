"""nginx's segment cache as the sidecar sees it: how much of it there is, and how an event's files leave it.

It runs as the cache's owner. It must never keep the event loop waiting, nor remove a file that is not the event's.
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
_BREATH_FILES: Final = 100  # after so many files the other thread, which answers nginx, gets its turn
_BREATH_SECONDS: Final = 0.002
_REMEMBERED_SECONDS: Final = 15.0
_PATIENCE_SECONDS: Final = 0.5  # /health waits no longer for figures
_MEGABYTE: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Figures:
    events: int
    megabytes: int


@dataclass(slots=True)
class SegmentCache:
    """The folder that nginx's cache folders lie in. Files come and go while it looks."""

    root: Path
    _events: dict[str, bytes] = field(default_factory=dict)  # by file name, which is the key's digest
    _figures: Figures | None = None
    _measured_at: float = float("-inf")
    _measuring: asyncio.Task[None] | None = None

    async def figures(self) -> Figures | None:
        """Give figures at most some seconds old; older ones, or none, while a large cache is being measured."""
        if self._measuring is None and time.monotonic() - self._measured_at > _REMEMBERED_SECONDS:
            self._measuring = asyncio.create_task(self._measure_aside())
        if self._measuring is not None:
            await asyncio.wait([self._measuring], timeout=_PATIENCE_SECONDS)
        return self._figures

    async def purge(self, event_id: bytes) -> None:
        await asyncio.to_thread(self._purge, event_id)
        self._measured_at = float("-inf")

    async def _measure_aside(self) -> None:
        try:
            self._figures = await asyncio.to_thread(self._measure)
        finally:
            self._measured_at = time.monotonic()
            self._measuring = None

    def _measure(self) -> Figures:
        known, size = {}, 0
        for file in _files(self.root):
            event_id = self._events.get(file.name) or _event_of(file.path)
            if event_id:
                known[file.name] = event_id
                size += _size(file)
        self._events = known
        return Figures(len(set(known.values())), round(size / _MEGABYTE))

    def _purge(self, event_id: bytes) -> None:
        for file in _files(self.root):
            if _event_of(file.path) == event_id:
                Path(file.path).unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class Purge:
    """DELETE /cache/<event id>: 204, also when there was nothing; 401 without the internal key, 404 for no event id."""

    cache: SegmentCache | None
    internal_key: bytes

    async def answer(self, request: Request) -> Response:
        shown = request.headers.get("x-internal-api-key", "").encode("latin-1")
        if not hmac.compare_digest(shown, self.internal_key):
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
    """Give every file below, with a breath now and then: Python's threads share one lock."""
    for number, file in enumerate(_walk(folder)):
        if number % _BREATH_FILES == 0:
            time.sleep(_BREATH_SECONDS)
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
    """Read whose file it is from the line that nginx writes into its head; None for what is no cache file."""
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
