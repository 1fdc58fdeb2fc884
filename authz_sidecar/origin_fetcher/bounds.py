"""Limits on the size and duration of an origin's answers: every fetch ends, also if no client waits for it any more."""

import zlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from time import monotonic
from typing import Final

import httpx2

from authz_sidecar.origin_fetcher.answers import Refused

_MEGABYTE: Final = 1024 * 1024
_SLOW_SECONDS: Final = 10.0  # in each period of this length at least _SLOW_BYTES must arrive
_SLOW_BYTES: Final = 8 * 1024
_BYTES_A_SECOND: Final = 250_000  # the minimum average rate of a large file
_GZIP: Final = 16 + zlib.MAX_WBITS


@dataclass(frozen=True, slots=True)
class Bounds:
    """`first_seconds` to the head of the answer, `seconds` to its end; a small file is read whole before it is sent."""

    size: int
    announced_size: int
    first_seconds: float
    seconds: float
    is_small: bool = False

    def until_end(self, length: int | None) -> float:
        """Return how many seconds a body of `length` announced bytes may take."""
        return self.seconds + (length or 0) / _BYTES_A_SECOND


_PLAYLIST: Final = Bounds(16 * _MEGABYTE, 16 * _MEGABYTE, 5.0, 5.0, is_small=True)
_BLOCKING: Final = Bounds(16 * _MEGABYTE, 16 * _MEGABYTE, 30.0, 5.0, is_small=True)
_KEY: Final = Bounds(64 * 1024, 64 * 1024, 5.0, 5.0, is_small=True)
# A slice of 8 MB ends within the minute for which nginx lets other requests wait for it (origin_cache.conf).
_SEGMENT: Final = Bounds(256 * _MEGABYTE, 64 * 1024 * _MEGABYTE, 10.0, 12.0)


def limits_for(name: str, *, is_blocking: bool) -> Bounds:
    """Return the limits for a file of this name; `is_blocking` if the origin may delay a playlist until it changes."""
    extension = name.rpartition(".")[2].lower()
    if extension == "m3u8":
        return _BLOCKING if is_blocking else _PLAYLIST
    return _KEY if extension == "key" else _SEGMENT


async def body(answer: httpx2.Response, bounds: Bounds, length: int | None) -> AsyncIterator[bytes]:
    """Yield the body in parts, decompressed. Raise Refused if it is too large or too slow."""
    allowed = bounds.size if length is None else bounds.announced_size
    if length is not None and length > allowed:
        raise Refused(f"{length} bytes, more than is allowed for such a file")
    size = 0
    async for part in _decoded(answer, allowed):
        size += len(part)
        if size > allowed:
            raise Refused(f"more than the {allowed} bytes allowed")
        yield part


async def _decoded(answer: httpx2.Response, allowed: int) -> AsyncIterator[bytes]:
    """Decompress unrequested gzip, to little more than `allowed` bytes. Raise Refused for other encodings."""
    encoding = answer.headers.get("content-encoding", "identity").strip().lower()
    if encoding in {"", "identity"}:
        async for part in _rate_checked(answer):
            yield part
        return
    if encoding not in {"gzip", "x-gzip"} or answer.status_code != httpx2.codes.OK:
        raise Refused(f"{answer.status_code}, packed in a way that was not asked for ({encoding[:20]})")
    decompressor, total = zlib.decompressobj(_GZIP), 0
    try:
        async for part in _rate_checked(answer):
            rest = part
            while rest and total <= allowed:
                piece = decompressor.decompress(rest, _MEGABYTE)
                total, rest = total + len(piece), decompressor.unconsumed_tail
                yield piece
    except zlib.error:
        raise Refused(f"{answer.status_code}, declared as gzip but not gzip") from None
    if not decompressor.eof and total <= allowed:
        raise Refused(f"{answer.status_code}, truncated gzip")


async def _rate_checked(answer: httpx2.Response) -> AsyncIterator[bytes]:
    """Yield the raw body while it arrives fast enough. Raise Refused otherwise."""
    since, received = monotonic(), 0
    async for part in answer.aiter_raw():
        received += len(part)
        if (now := monotonic()) - since >= _SLOW_SECONDS:
            if received < _SLOW_BYTES:
                raise Refused(f"{answer.status_code}, and then {received} bytes in {now - since:.0f} s")
            since, received = now, 0
        yield part
