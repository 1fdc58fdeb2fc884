"""The next page of a snapshot is prefetched, and an unused prefetch is harmless."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import anyio
import httpx2
import pytest
from anyio.lowlevel import checkpoint

from authz_sidecar.link import FeedAnswer
from authz_sidecar.read_ahead import ReadAhead

pytestmark = pytest.mark.anyio
PAGES = {"": "1", "1": "2", "2": None}


@dataclass
class Pages:
    """A snapshot in three pages that records the requested cursors. It `fails` once at a cursor."""

    fails: str | None = None
    asked: list[tuple[str, bool]] = field(default_factory=list)
    held: anyio.Event | None = None

    async def ask(self, cursor: str, *, wait: bool) -> FeedAnswer:
        self.asked.append((cursor, wait))
        if self.held and not wait:
            await self.held.wait()
        await checkpoint()
        if cursor == self.fails:
            self.fails = None
            raise httpx2.ConnectError("away")
        return FeedAnswer(f"page after {cursor}".encode(), PAGES.get(cursor))

    def cursors(self) -> list[str]:
        return [cursor for cursor, _ in self.asked]


@asynccontextmanager
async def reading(link: Pages) -> AsyncIterator[ReadAhead]:
    feed = ReadAhead(link)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(feed.run)
        yield feed
        tasks.cancel_scope.cancel()


async def test_each_page_is_fetched_once_and_before_it_is_requested() -> None:
    link = Pages()
    async with reading(link) as feed:
        assert await feed.ask("", wait=True) == b"page after "
        await anyio.wait_all_tasks_blocked()
        assert link.asked == [("", True), ("1", False)]
        assert await feed.ask("1", wait=True) == b"page after 1"
        assert await feed.ask("2", wait=True) == b"page after 2"
        assert await feed.ask("2", wait=True) == b"page after 2"
    assert link.cursors() == ["", "1", "2", "2"]


async def test_a_page_whose_prefetch_failed_is_requested_again() -> None:
    link = Pages(fails="1")
    async with reading(link) as feed:
        await feed.ask("", wait=True)
        assert await feed.ask("1", wait=True) == b"page after 1"
    assert link.asked[:3] == [("", True), ("1", False), ("1", True)]


async def test_a_restarted_snapshot_gets_no_page_of_the_previous_one() -> None:
    link = Pages(held=anyio.Event())
    async with reading(link) as feed:
        await feed.ask("", wait=True)
        for _ in range(3):
            assert await feed.ask("", wait=True) == b"page after "
        assert link.held
        link.held.set()
        assert await feed.ask("1", wait=True) == b"page after 1"


async def test_an_error_of_the_request_itself_is_raised() -> None:
    async with reading(Pages(fails="")) as feed:
        with pytest.raises(httpx2.ConnectError):
            await feed.ask("", wait=True)
        assert await feed.ask("", wait=True) == b"page after "
