"""Events with their own origin: fetched from the control plane when the feed announces a change.

This must never delay or fail a verdict. The list is kept in memory and in a file, and stays in force while the control
plane is unreachable, also after a restart.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple, Protocol

import anyio
import httpx2
import structlog
from anyio.abc import TaskStatus

from authz_sidecar.contract import origin_credentials
from authz_sidecar.contract.backoff import Backoff
from authz_sidecar.contract.origin_credentials import Credentials
from authz_sidecar.contract.playback_token import EVENT_ID
from authz_sidecar.contract.strict_json import JsonRefused, parse_object
from authz_sidecar.contract.whole_files import replacing

_FIRST_ANSWER_SECONDS: Final = 1.0
_FIRST_PAUSE_SECONDS: Final = 0.5
_LONGEST_PAUSE_SECONDS: Final = 10.0
_EAGER_PAUSE_SECONDS: Final = 1.0  # while nothing is known: viewers may be allowed at any moment
_LARGE_LIST_BYTES: Final = 65_536
_NO_CREDENTIALS: Final = Credentials()
_PLAYLIST: Final = "stream.m3u8"
_ADDRESS: Final = re.compile(r"https?://[!-~]{1,1000}")  # the fetcher parses it and checks the list of allowed hosts

log = structlog.get_logger()


class OriginsRefused(ValueError):
    """The list is truncated or invalid; no part of it may be used."""


class Source(NamedTuple):
    """An event's own origin: the URL of its playlist, the URL of the folder of all other files, and its credentials."""

    playlist: str
    folder: str
    credentials: Credentials = _NO_CREDENTIALS

    @classmethod
    def at(cls, url: str, credentials: Credentials = _NO_CREDENTIALS) -> "Source":
        """Make a source from the URL of a playlist, or of a folder that contains `stream.m3u8`."""
        if url.lower().endswith(".m3u8"):
            return cls(url, url[: url.rindex("/") + 1], credentials)
        folder = f"{url.rstrip('/')}/"
        return cls(folder + _PLAYLIST, folder, credentials)

    def url_of(self, name: str) -> str:
        """Return the URL of a file, named by its path below the event's stream folder."""
        return self.playlist if name == _PLAYLIST else self.folder + name

    def headers_of(self, name: str) -> Iterator[tuple[bytes, bytes]]:
        """Yield the headers that nginx passes on to the fetcher."""
        yield b"x-gate-origin", self.url_of(name).encode("latin-1")
        if self.credentials.header:
            yield b"x-gate-origin-header", self.credentials.header.encode("latin-1")
        if self.credentials.query:
            yield b"x-gate-origin-query", self.credentials.query.encode("latin-1")


class OriginLink(Protocol):
    """The control plane's side of the list."""

    async def origins_may_differ(self) -> None:
        """Return once the list may have changed."""

    async def origins(self, known: str) -> tuple[str, bytes] | None:
        """Return the list's tag and the list, or None if the tag is still `known`.

        Raise httpx2.HTTPError or OSError.
        """


@dataclass
class Origins:
    """`by_event` is always the same dictionary object, so that a verdict costs one lookup and nothing else."""

    control_plane: OriginLink
    file: Path | None = None
    by_event: dict[str, Source] = field(default_factory=dict, init=False)
    _tag: str = field(default="", init=False)
    _is_known: bool = field(default=False, init=False)
    _is_reachable: bool = field(default=True, init=False)
    _unsaved: bytes | None = field(default=None, init=False)

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Poll until cancelled. Started once the control plane has answered, or after one second."""
        self.load()
        is_answered, backoff = False, Backoff(_FIRST_PAUSE_SECONDS, _EAGER_PAUSE_SECONDS)
        with anyio.move_on_after(_FIRST_ANSWER_SECONDS):
            is_answered = await self.ask()
        task_status.started()
        while True:
            if is_answered:
                backoff.reset()
                await self.control_plane.origins_may_differ()
            else:
                backoff.longest = _LONGEST_PAUSE_SECONDS if self._is_known else _EAGER_PAUSE_SECONDS
                await backoff.pause()
            is_answered = await self.ask()

    def load(self) -> None:
        """Start from the saved list. A damaged file is logged and left alone."""
        try:
            if self.file and self.file.exists():
                self._put(parse(self.file.read_bytes()))
        except (OriginsRefused, OSError) as error:
            log.error("origins_file_unusable", error=str(error))

    async def ask(self) -> bool:
        """Fetch the list once. Return whether the answer was valid; if not, the known list stays in force."""
        try:
            answer = await self.control_plane.origins(self._tag)
            if answer:
                tag, body = answer
                self._put(await _parse_async(body))
                self._tag, self._unsaved = tag, body
        except (httpx2.HTTPError, OriginsRefused, OSError) as error:
            if self._is_reachable:
                log.warning("origins_not_heard", error=f"{type(error).__name__}: {error}")
            self._is_reachable = False
            return False
        self._is_reachable = True
        await self._save()
        return True

    def _put(self, found: dict[str, Source]) -> None:
        if found != self.by_event:
            log.info("origins_changed", events=len(found))
        self.by_event.clear()
        self.by_event.update(found)
        self._is_known = True

    async def _save(self) -> None:
        if self.file is None or self._unsaved is None:
            return
        body, self._unsaved = self._unsaved, None
        try:
            await anyio.to_thread.run_sync(_write, self.file, body)
        except OSError as error:
            self._unsaved = body
            log.error("origins_file_not_written", error=str(error))


def parse(body: bytes) -> dict[str, Source]:
    """Read the control plane's list. Raise OriginsRefused."""
    try:
        whole = parse_object(body)
        found, credentials_of = whole["origins"].items(), whole.get("credentials", {})
        credentials = {event_id: origin_credentials.normalize(**one) for event_id, one in credentials_of.items()}
    except (JsonRefused, KeyError, AttributeError, TypeError, ValueError) as error:
        raise OriginsRefused(type(error).__name__) from None
    if not all(EVENT_ID.fullmatch(event_id) and _is_address(url) for event_id, url in found):
        raise OriginsRefused("an event without its address")
    return {event_id: Source.at(url, credentials.get(event_id, _NO_CREDENTIALS)) for event_id, url in found}


async def _parse_async(body: bytes) -> dict[str, Source]:
    """Parse a list, a large one in a thread so that verdicts are not delayed. Raise OriginsRefused."""
    return parse(body) if len(body) < _LARGE_LIST_BYTES else await anyio.to_thread.run_sync(parse, body)


def _is_address(url: object) -> bool:
    return isinstance(url, str) and _ADDRESS.fullmatch(url) is not None


def _write(file: Path, body: bytes) -> None:
    """Write a temporary file and rename it, so that a crash leaves the old list or the new one. Raise OSError."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with replacing(file) as writer:
        writer.write(body)
