"""Reads a snapshot of the feed one page ahead: the control plane makes the next while this one is put in force.

A million revocations are a hundred pages, and each costs either side half of the time. What was read ahead and is not
asked for next is dropped; so is what could not be read, which the question itself then finds out.
"""

from dataclasses import dataclass, field
from typing import Protocol

import anyio
import httpx2

from authz_sidecar.link import FeedAnswer


class FeedLink(Protocol):
    """The control plane's side of the feed."""

    async def ask(self, cursor: str, *, wait: bool) -> FeedAnswer:
        """Return what comes after the cursor; with `wait`, once there is something or the poll interval is over."""


@dataclass
class _Ahead:
    """What comes after the cursor, once it is `done`."""

    cursor: str
    done: anyio.Event = field(default_factory=anyio.Event)
    answer: FeedAnswer | None = None


class ReadAhead:
    """The feed as the follower asks for it, while `run` runs."""

    def __init__(self, link: FeedLink) -> None:
        self._link = link
        self._ahead: _Ahead | None = None
        self._wanted = anyio.Event()

    async def run(self) -> None:
        """Fetch what will be asked for next, for ever."""
        while True:
            await self._wanted.wait()
            self._wanted = anyio.Event()
            if self._ahead:
                await self._fetch(self._ahead)

    async def _fetch(self, ahead: _Ahead) -> None:
        try:
            ahead.answer = await self._link.ask(ahead.cursor, wait=False)
        except (httpx2.HTTPError, OSError):
            pass
        finally:
            ahead.done.set()

    async def ask(self, cursor: str, *, wait: bool) -> bytes:
        """Return what comes after the cursor, and have the page after that one fetched. Raise as the link does."""
        answer = await self._fetched(cursor) or await self._link.ask(cursor, wait=wait)
        if answer.following:
            self._ahead = _Ahead(answer.following)
            self._wanted.set()
        return answer.body

    async def _fetched(self, cursor: str) -> FeedAnswer | None:
        ahead = self._ahead if self._ahead and self._ahead.cursor == cursor else None
        if ahead:
            await ahead.done.wait()
        self._ahead = None
        return ahead.answer if ahead else None
