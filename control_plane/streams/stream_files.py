"""An event's files as a viewer gets them, through the gate, or as they are in a folder: for inspecting a stream.

Neither reads more of a file than requested, nor anything outside the event's own folder.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

import anyio

from control_plane.clock import Clock
from control_plane.streams.addresses import Address
from control_plane.streams.faults import Failed, FaultReason
from control_plane.streams.playlist_reader import MAX_PLAYLIST_BYTES, FetchedPlaylist, PlaylistReader, ReadFailed
from control_plane.tables import Event

_NOT_THERE: Final = "It is not there (404)."
_STATUS: Final = {
    403: (FaultReason.REFUSED, "The gate refuses everybody access to it (403)."),
    404: (FaultReason.MISSING, _NOT_THERE),
    502: (FaultReason.UNREACHABLE, "The origin of this stream cannot be reached (502)."),
    503: (FaultReason.GATE, "The gate is not ready (503): its sidecar is down or does not know the revocations yet."),
    504: (FaultReason.UNREACHABLE, "The origin of this stream does not answer in time (504)."),
}


@dataclass(frozen=True, slots=True)
class Sample:
    """The beginning of a file, or of a part of it. `size` is that of the whole file, None if unknown."""

    data: bytes
    size: int | None


class StreamFiles(Protocol):
    """A source of an event's files."""

    @property
    def event(self) -> Event: ...

    @property
    def clock(self) -> Clock: ...

    async def page(self, address: Address) -> FetchedPlaylist:
        """Return a playlist. Raise Failed."""

    async def sample(self, address: Address, at: int, count: int) -> Sample:
        """Return up to `count` bytes from `at` on. Raise Failed."""


@dataclass(frozen=True, slots=True)
class GateFiles:
    """Reads through the gate as a viewer does. `clock` dates the tokens; each request has its own."""

    event: Event
    clock: Clock
    reader: PlaylistReader

    async def page(self, address: Address) -> FetchedPlaylist:
        try:
            return await self.reader.read(self.event, self.clock(), address.target)
        except ReadFailed as problem:
            raise _to_failed(problem, self.event) from None

    async def sample(self, address: Address, at: int, count: int) -> Sample:
        try:
            data, size = await self.reader.sample(self.event, self.clock(), address.target, at, count)
        except ReadFailed as problem:
            raise _to_failed(problem, self.event) from None
        return Sample(data, size)


@dataclass(frozen=True, slots=True)
class FolderFiles:
    """Reads the event's folder directly, if the gate is not running. Like nginx, it follows no symbolic links."""

    event: Event
    clock: Clock
    folder: Path

    async def page(self, address: Address) -> FetchedPlaylist:
        data, size, modified_at = await anyio.to_thread.run_sync(self._read, address, 0, MAX_PLAYLIST_BYTES)
        if size > MAX_PLAYLIST_BYTES:
            raise Failed(FaultReason.TOO_LARGE, f"It is larger than {MAX_PLAYLIST_BYTES >> 20} MB.")
        return FetchedPlaylist(address.name, data.decode("utf-8", "replace"), modified_at)

    async def sample(self, address: Address, at: int, count: int) -> Sample:
        data, size, _ = await anyio.to_thread.run_sync(self._read, address, at, count)
        return Sample(data, size)

    def _read(self, address: Address, at: int, count: int) -> tuple[bytes, int, float]:
        path = self.folder / address.name
        links = [part for part in (path, *path.parents) if part.is_relative_to(self.folder) and part.is_symlink()]
        if links:
            raise Failed(FaultReason.REFUSED, "It is a symbolic link or below one, and nginx follows none.")
        try:
            with path.open("rb") as file:
                stat = os.fstat(file.fileno())
                file.seek(at)
                return file.read(count), stat.st_size, stat.st_mtime
        except FileNotFoundError:
            raise Failed(FaultReason.MISSING, "It does not exist.") from None
        except OSError as problem:
            raise Failed(FaultReason.REFUSED, f"It cannot be read: {(problem.strerror or 'error').lower()}.") from None


def _to_failed(problem: ReadFailed, event: Event) -> Failed:
    if problem.status == 403 and not event.is_active:  # noqa: PLR2004
        return Failed(FaultReason.REFUSED, "The event is deactivated: the gate serves its stream to nobody.")
    if problem.origin_answer:
        return Failed(FaultReason.UNREACHABLE, f"Its origin did not deliver it: {problem.origin_answer}.")
    unknown = FaultReason.UNREACHABLE if problem.status else FaultReason.GATE
    reason, sentence = _STATUS.get(problem.status or 0, (unknown, str(problem)))
    return Failed(reason, sentence)
