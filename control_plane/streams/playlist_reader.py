"""Reads an event's playlists as a viewer would: through the gate, with a token of its own that lasts ten seconds.

It asks the configured address and nothing else: no redirect, no proxy, no path outside of the event's own folder, and
no more bytes than a playlist has.
"""

from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Final

import anyio
import httpx2

from authz_sidecar.contract.key_source import KeySource
from authz_sidecar.contract.playback_token import READER_SID, READER_SUB, Claims, mint, stream_prefix
from control_plane.models import Event

MAX_PLAYLIST_BYTES: Final = 16 * 1024 * 1024  # ten hours of segments of two seconds, with signed addresses: 8 MB
_TOKEN_SECONDS: Final = 10
_AT_ONCE: Final = 16
_FIRST: Final = "stream.m3u8"
_FAILURES_REMEMBERED_SECONDS: Final = 1.1
_ORIGIN_ANSWER: Final = "X-Origin-Answer"


class ReadFailed(Exception):
    """It could not be read. `status` is what the gate answered, None when it gave no answer.

    `origin_answer` is what the origin said to the gate, where the gate passes it on.
    """

    def __init__(self, sentence: str, status: int | None = None, origin_answer: str | None = None) -> None:
        self.status, self.origin_answer = status, origin_answer
        super().__init__(sentence)


@dataclass(frozen=True, slots=True)
class FetchedPlaylist:
    """A playlist's text, where it was read (below the event's folder), and when the server says that it changed."""

    name: str
    text: str
    modified_at: float | None


class PlaylistReader:
    def __init__(self, base_url: str, keys: KeySource) -> None:
        self._keys = keys
        self._http = httpx2.AsyncClient(
            base_url=base_url,
            verify=base_url.startswith("https:"),  # without TLS no certificates are read, which takes 40 ms
            trust_env=False,
            timeout=_TOKEN_SECONDS,
            limits=httpx2.Limits(max_connections=_AT_ONCE, max_keepalive_connections=_AT_ONCE),
        )

    async def read(self, event: Event, now: datetime, name: str = _FIRST) -> FetchedPlaylist:
        """Read a playlist of the event. Raise ReadFailed.

        nginx remembers for a second that an origin failed, and not why: then it is asked once more.
        """
        try:
            return await self._read(event, now, name)
        except ReadFailed as failed:
            if failed.status != httpx2.codes.BAD_GATEWAY or failed.origin_answer:
                raise
        await anyio.sleep(_FAILURES_REMEMBERED_SECONDS)
        return await self._read(event, now, name)

    async def _read(self, event: Event, now: datetime, name: str) -> FetchedPlaylist:
        try:
            async with self._http.stream(
                "GET", stream_prefix(event.id) + name, headers=self._headers(event, now)
            ) as got:
                _check_status(got)
                return FetchedPlaylist(name, await _text(got), _modified_at(got))
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError, ValueError) as error:
            raise ReadFailed(f"The gate gave no answer ({type(error).__name__}).") from None

    async def sample(self, event: Event, now: datetime, name: str, at: int, count: int) -> tuple[bytes, int | None]:
        """Read `count` bytes of a file from `at` on; give them and the size of the whole. Raise ReadFailed."""
        headers = self._headers(event, now) | {"Range": f"bytes={at}-{at + count - 1}"}
        try:
            async with self._http.stream("GET", stream_prefix(event.id) + name, headers=headers) as got:
                whole = _whole_size(got)
                if got.status_code == httpx2.codes.RANGE_NOT_SATISFIABLE and whole is not None:
                    return b"", whole
                if got.status_code != httpx2.codes.PARTIAL_CONTENT:
                    _check_status(got)
                return await _beginning(got, count), whole
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError, ValueError) as error:
            raise ReadFailed(f"The gate gave no answer ({type(error).__name__}).") from None

    async def close(self) -> None:
        await self._http.aclose()

    def _headers(self, event: Event, now: datetime) -> dict[str, str]:
        issued_at = max(int(now.timestamp()), event.tokens_not_before)
        claims = Claims(eid=event.id, iat=issued_at, exp=issued_at + _TOKEN_SECONDS, sub=READER_SUB, sid=READER_SID)
        # Unpacked it could be of any size.
        return {"Authorization": f"Bearer {mint(claims, self._keys.ring)}", "Accept-Encoding": "identity"}


def _check_status(answer: httpx2.Response) -> None:
    if answer.status_code != httpx2.codes.OK:
        told = answer.headers.get(_ORIGIN_ANSWER)
        raise ReadFailed(f"The gate answered {answer.status_code}.", answer.status_code, told)


def _whole_size(answer: httpx2.Response) -> int | None:
    """Read how large the whole file is: from the range's header, or from the length where all of it is sent."""
    told: str = answer.headers.get("Content-Range", "").rpartition("/")[2] or answer.headers.get("Content-Length", "")
    return int(told) if told.isascii() and told.isdigit() else None


async def _beginning(answer: httpx2.Response, count: int) -> bytes:
    body = bytearray()
    async for part in answer.aiter_raw():
        body += part
        if len(body) >= count:
            break
    return bytes(body[:count])


async def _text(answer: httpx2.Response) -> str:
    body = bytearray()
    async for part in answer.aiter_raw():
        body += part
        if len(body) > MAX_PLAYLIST_BYTES:
            raise ReadFailed(f"The playlist is larger than {MAX_PLAYLIST_BYTES >> 20} megabytes.")
    if answer.headers.get("Content-Encoding", "identity") != "identity":
        raise ReadFailed("The playlist came packed although that was not asked for.")
    return body.decode("utf-8", "replace")


def _modified_at(answer: httpx2.Response) -> float | None:
    try:
        return parsedate_to_datetime(answer.headers.get("Last-Modified", "")).timestamp()
    except (ValueError, OverflowError):
        return None
