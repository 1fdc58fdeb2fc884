"""Read an event's playlists as a viewer would: through the gate, with a separate token that is valid for ten seconds.

Requests go to the configured address and nowhere else: no redirect, no proxy, no path outside the event's own folder,
and no more bytes than a playlist has.
"""

from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Final

import anyio
import httpx2

from authz_sidecar.contract.key_source import KeySource
from authz_sidecar.contract.playback_token import READER_SID, READER_SUB, Claims, mint, stream_prefix
from control_plane.tables import Event

MAX_PLAYLIST_BYTES: Final = 16 * 1024 * 1024  # ten hours of two-second segments with signed addresses take 8 MB
_TOKEN_SECONDS: Final = 10
_MAX_CONNECTIONS: Final = 16
_DEFAULT_NAME: Final = "stream.m3u8"
_FAILURE_CACHE_SECONDS: Final = 1.1
_ORIGIN_ANSWER: Final = "X-Origin-Answer"


class ReadFailed(Exception):
    """A file could not be read. `status` is the gate's response status, None if there was no response.

    `origin_answer` is what the origin answered to the gate, if the gate passes it on.
    """

    def __init__(self, sentence: str, status: int | None = None, origin_answer: str | None = None) -> None:
        self.status, self.origin_answer = status, origin_answer
        super().__init__(sentence)


@dataclass(frozen=True, slots=True)
class FetchedPlaylist:
    """A playlist's text, its path below the event's folder, and when it changed according to the server."""

    name: str
    text: str
    modified_at: float | None


class PlaylistReader:
    def __init__(self, base_url: str, keys: KeySource) -> None:
        self._keys = keys
        self._http = httpx2.AsyncClient(
            base_url=base_url,
            verify=base_url.startswith("https:"),  # without TLS no certificates are loaded, which would take 40 ms
            trust_env=False,
            timeout=_TOKEN_SECONDS,
            limits=httpx2.Limits(max_connections=_MAX_CONNECTIONS, max_keepalive_connections=_MAX_CONNECTIONS),
        )

    async def read(self, event: Event, now: datetime, name: str = _DEFAULT_NAME) -> FetchedPlaylist:
        """Read a playlist of the event. Raise ReadFailed.

        nginx remembers for a second that an origin failed, but not why: then the request is repeated once.
        """
        try:
            return await self._read(event, now, name)
        except ReadFailed as failed:
            if failed.status != httpx2.codes.BAD_GATEWAY or failed.origin_answer:
                raise
        await anyio.sleep(_FAILURE_CACHE_SECONDS)
        return await self._read(event, now, name)

    async def _read(self, event: Event, now: datetime, name: str) -> FetchedPlaylist:
        try:
            async with self._http.stream(
                "GET", stream_prefix(event.id) + name, headers=self._headers(event, now)
            ) as response:
                _check_status(response)
                return FetchedPlaylist(name, await _text(response), _modified_at(response))
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError, ValueError) as error:
            raise ReadFailed(f"The gate gave no answer ({type(error).__name__}).") from None

    async def sample(self, event: Event, now: datetime, name: str, at: int, count: int) -> tuple[bytes, int | None]:
        """Return up to `count` bytes of a file from `at` on, and the size of the whole file. Raise ReadFailed."""
        headers = self._headers(event, now) | {"Range": f"bytes={at}-{at + count - 1}"}
        try:
            async with self._http.stream("GET", stream_prefix(event.id) + name, headers=headers) as response:
                whole = _whole_size(response)
                if response.status_code == httpx2.codes.RANGE_NOT_SATISFIABLE and whole is not None:
                    return b"", whole
                if response.status_code != httpx2.codes.PARTIAL_CONTENT:
                    _check_status(response)
                return await _beginning(response, count), whole
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError, ValueError) as error:
            raise ReadFailed(f"The gate gave no answer ({type(error).__name__}).") from None

    async def close(self) -> None:
        await self._http.aclose()

    def _headers(self, event: Event, now: datetime) -> dict[str, str]:
        issued_at = max(int(now.timestamp()), event.tokens_not_before)
        claims = Claims(eid=event.id, iat=issued_at, exp=issued_at + _TOKEN_SECONDS, sub=READER_SUB, sid=READER_SID)
        # A compressed response could expand to any size.
        return {"Authorization": f"Bearer {mint(claims, self._keys.ring)}", "Accept-Encoding": "identity"}


def _check_status(response: httpx2.Response) -> None:
    if response.status_code != httpx2.codes.OK:
        origin_answer = response.headers.get(_ORIGIN_ANSWER)
        raise ReadFailed(f"The gate answered {response.status_code}.", response.status_code, origin_answer)


def _whole_size(response: httpx2.Response) -> int | None:
    """Return the size of the whole file: from Content-Range, or from Content-Length if all of it is sent."""
    size: str = response.headers.get("Content-Range", "").rpartition("/")[2] or response.headers.get(
        "Content-Length", ""
    )
    return int(size) if size.isascii() and size.isdigit() else None


async def _beginning(response: httpx2.Response, count: int) -> bytes:
    body = bytearray()
    async for part in response.aiter_raw():
        body += part
        if len(body) >= count:
            break
    return bytes(body[:count])


async def _text(response: httpx2.Response) -> str:
    body = bytearray()
    async for part in response.aiter_raw():
        body += part
        if len(body) > MAX_PLAYLIST_BYTES:
            raise ReadFailed(f"The playlist is larger than {MAX_PLAYLIST_BYTES >> 20} megabytes.")
    if response.headers.get("Content-Encoding", "identity") != "identity":
        raise ReadFailed("The playlist was compressed although no compression was requested.")
    return body.decode("utf-8", "replace")


def _modified_at(response: httpx2.Response) -> float | None:
    try:
        return parsedate_to_datetime(response.headers.get("Last-Modified", "")).timestamp()
    except (ValueError, OverflowError):
        return None
