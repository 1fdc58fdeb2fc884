"""Read a snapshot of the feed one page ahead: the control plane builds the next page while this one is applied.

A million revocations are a hundred pages, and each side takes half of the time of each page. A prefetched page that is
not asked for next is dropped. A failed prefetch is dropped, too: the request is then made again and raises the error.
"""

from dataclasses import dataclass, field
from typing import Protocol

import anyio
import httpx2

from authz_sidecar.link import FeedAnswer


class FeedLink(Protocol):
    """The control plane's side of the feed."""

    async def ask(self, cursor: str, *, wait: bool) -> FeedAnswer:
        """Return the page after the cursor; with `wait`, once there are changes or the poll interval is over."""


@dataclass
class _Prefetch:
    """The prefetched page after the cursor, available once `done` is set; None if it failed."""

    cursor: str
    done: anyio.Event = field(default_factory=anyio.Event)
    answer: FeedAnswer | None = None


class ReadAhead:
    """The feed as the follower reads it, while `run` is running."""

    def __init__(self, link: FeedLink) -> None:
        self._link = link
        self._prefetch: _Prefetch | None = None
        self._wanted = anyio.Event()

    async def run(self) -> None:
        """Prefetch pages until cancelled."""
        while True:
            await self._wanted.wait()
            self._wanted = anyio.Event()
            if self._prefetch:
                await self._fetch(self._prefetch)

    async def _fetch(self, prefetch: _Prefetch) -> None:
        try:
            prefetch.answer = await self._link.ask(prefetch.cursor, wait=False)
        except (httpx2.HTTPError, OSError):
            pass
        finally:
            prefetch.done.set()

    async def ask(self, cursor: str, *, wait: bool) -> bytes:
        """Return the page after the cursor, and start to prefetch the one after it. Raise as the link does."""
        answer = await self._prefetched(cursor) or await self._link.ask(cursor, wait=wait)
        if answer.following:
            self._prefetch = _Prefetch(answer.following)
            self._wanted.set()
        return answer.body

    async def _prefetched(self, cursor: str) -> FeedAnswer | None:
        prefetch = self._prefetch if self._prefetch and self._prefetch.cursor == cursor else None
        if prefetch:
            await prefetch.done.wait()
        self._prefetch = None
        return prefetch.answer if prefetch else None
