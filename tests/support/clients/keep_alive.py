"""A player's connection: HTTP/1.1 with keep-alive on asyncio, light enough for a thousand of them in one process.

Like a browser it retries once on a new connection if a reused one was closed before the first byte of the response.
"""

import asyncio
from dataclasses import dataclass
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class KeepAliveAnswer:
    status: int
    body: bytes


class ClosedEarly(Exception):
    """The connection ended before the first byte of a response."""


class KeepAlive:
    """One connection, opened when needed. `reopened` counts how often a reused one turned out to be closed.

    Announced closes (`Connection: close`, as nginx sends after `keepalive_requests`) are not counted.
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._host, self._port = parts.hostname or "", parts.port or 80
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self.reopened = 0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def get(self, target: str, *headers: str) -> KeepAliveAnswer:
        """Request `target`; `headers` are complete header lines. Raise OSError or ClosedEarly after one retry."""
        lines = [f"GET {target} HTTP/1.1", f"Host: {self._host}:{self._port}", *headers, "", ""]
        request = "\r\n".join(lines).encode("latin-1")
        async with asyncio.timeout(_SECONDS):
            if self._streams:
                try:
                    return await self._ask(request)
                except (ClosedEarly, ConnectionError):
                    self.reopened += 1
                    self.close()
            self._streams = await asyncio.open_connection(self._host, self._port)
            return await self._ask(request)

    async def _ask(self, request: bytes) -> KeepAliveAnswer:
        assert self._streams is not None
        reader, writer = self._streams
        writer.write(request)
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError as error:
            if error.partial:
                raise
            raise ClosedEarly from error
        first, *rest = head.decode("latin-1").lower().split("\r\n")
        fields = dict(line.split(": ", 1) for line in rest if line)
        body = await reader.readexactly(int(fields.get("content-length", 0)))
        assert "transfer-encoding" not in fields, head
        if fields.get("connection") == "close":
            self.close()
        return KeepAliveAnswer(int(first.split(" ")[1]), body)

    def close(self) -> None:
        if self._streams:
            self._streams[1].close()
            self._streams = None
