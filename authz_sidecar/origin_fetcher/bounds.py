"""How much and how long an origin may send: whatever it does, each fetch ends, also when nobody waits any more."""

import zlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from time import monotonic
from typing import Final

import httpx2

from authz_sidecar.origin_fetcher.answers import Refused

_MEGABYTE: Final = 1024 * 1024
_SLOW_SECONDS: Final = 10.0  # in any time as long as this, at least so many bytes must come
_SLOW_BYTES: Final = 8 * 1024
_BYTES_A_SECOND: Final = 250_000  # so fast a large file must come on the whole
_GZIP: Final = 16 + zlib.MAX_WBITS


@dataclass(frozen=True, slots=True)
class Bounds:
    """`first_seconds` to the head of the answer, `seconds` to its end; a small file is read whole before it goes on."""

    size: int
    announced_size: int
    first_seconds: float
    seconds: float
    is_small: bool = False

    def until_end(self, length: int | None) -> float:
        """Give the seconds that a body may take of which `length` bytes are announced."""
        return self.seconds + (length or 0) / _BYTES_A_SECOND


_PLAYLIST: Final = Bounds(16 * _MEGABYTE, 16 * _MEGABYTE, 5.0, 5.0, is_small=True)
_BLOCKING: Final = Bounds(16 * _MEGABYTE, 16 * _MEGABYTE, 30.0, 5.0, is_small=True)
_KEY: Final = Bounds(64 * 1024, 64 * 1024, 5.0, 5.0, is_small=True)
# A slice of 8 MB ends within the minute for which nginx lets others wait for it (origin_cache.conf).
_SEGMENT: Final = Bounds(256 * _MEGABYTE, 64 * 1024 * _MEGABYTE, 10.0, 12.0)


def of(name: str, *, is_blocking: bool) -> Bounds:
    """Say what is allowed for a file of this name; `is_blocking` where a playlist is held back until there is news."""
    extension = name.rpartition(".")[2].lower()
    if extension == "m3u8":
        return _BLOCKING if is_blocking else _PLAYLIST
    return _KEY if extension == "key" else _SEGMENT


async def body(answer: httpx2.Response, bounds: Bounds, length: int | None) -> AsyncIterator[bytes]:
    """Give the body in parts, unpacked. Raise Refused for one that is too large, or trickles."""
    allowed = bounds.size if length is None else bounds.announced_size
    if length is not None and length > allowed:
        raise Refused(f"{length} bytes, more than such a file may have")
    size = 0
    async for part in _unpacked(answer, allowed):
        size += len(part)
        if size > allowed:
            raise Refused(f"more than {allowed} bytes and no end")
        yield part


async def _unpacked(answer: httpx2.Response, allowed: int) -> AsyncIterator[bytes]:
    """Unpack gzip that nobody asked for, never much more of it than is allowed. Raise Refused for other packing."""
    packing = answer.headers.get("content-encoding", "identity").strip().lower()
    if packing in {"", "identity"}:
        async for part in _lively(answer):
            yield part
        return
    if packing not in {"gzip", "x-gzip"} or answer.status_code != httpx2.codes.OK:
        raise Refused(f"{answer.status_code}, packed in a way that was not asked for ({packing[:20]})")
    unpacker, total = zlib.decompressobj(_GZIP), 0
    try:
        async for part in _lively(answer):
            rest = part
            while rest and total <= allowed:
                piece = unpacker.decompress(rest, _MEGABYTE)
                total, rest = total + len(piece), unpacker.unconsumed_tail
                yield piece
    except zlib.error:
        raise Refused(f"{answer.status_code}, said to be gzip and is not") from None
    if not unpacker.eof and total <= allowed:
        raise Refused(f"{answer.status_code}, gzip that breaks off")


async def _lively(answer: httpx2.Response) -> AsyncIterator[bytes]:
    """Give what comes for as long as it comes fast enough. Raise Refused."""
    since, fresh = monotonic(), 0
    async for part in answer.aiter_raw():
        fresh += len(part)
        if (now := monotonic()) - since >= _SLOW_SECONDS:
            if fresh < _SLOW_BYTES:
                raise Refused(f"{answer.status_code}, and then {fresh} bytes in {now - since:.0f} s")
            since, fresh = now, 0
        yield part
