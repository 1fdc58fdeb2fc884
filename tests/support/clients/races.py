"""Many clients at once against real control planes, while followers read the feed of each."""

import json
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from ipaddress import IPv4Network
from itertools import cycle, islice
from typing import Any, TypeVar

import anyio
import httpx2
from sqlalchemy import func, select

from control_plane.db.database import Database
from control_plane.revocations import revocation_feed
from control_plane.tables import ViewingSession
from tests.support.clients.api import INTERNAL_KEY, Admin
from tests.support.services.server import ControlPlaneProcess

T = TypeVar("T")
_PATIENCE_SECONDS = 300
_ADDRESSES = IPv4Network("10.0.0.0/8").hosts()  # a new one for each device, so that they share no guess limits


@asynccontextmanager
async def crowd(planes: Sequence[ControlPlaneProcess], size: int) -> AsyncIterator[list[httpx2.AsyncClient]]:
    """Yield new devices, distributed over the control planes as by a load balancer."""
    devices = [plane.browser(str(next(_ADDRESSES))) for plane in islice(cycle(planes), size)]
    yield devices
    for device in devices:
        await device.aclose()


@asynccontextmanager
async def organisers(planes: Sequence[ControlPlaneProcess]) -> AsyncIterator[list[Admin]]:
    """Yield a signed-in organiser at each control plane; they share one session."""
    everywhere = [plane.browser("198.51.100.1") for plane in planes]
    assert (await Admin(everywhere[0]).sign_in()).status_code == 200
    for http in everywhere[1:]:
        http.cookies = everywhere[0].cookies
    yield [Admin(http) for http in everywhere]
    for http in everywhere:
        await http.aclose()


async def at_once(work: Callable[[T], Coroutine[Any, Any, Any]], people: Iterable[T]) -> None:
    with anyio.fail_after(_PATIENCE_SECONDS):
        async with anyio.create_task_group() as tasks:
            for person in people:
                tasks.start_soon(work, person)


async def statuses(work: Callable[[T], Awaitable[httpx2.Response]], people: Iterable[T]) -> Counter[int]:
    answered: Counter[int] = Counter()

    async def count(person: T) -> None:
        answered[(await work(person)).status_code] += 1

    await at_once(count, people)
    return answered


@dataclass
class RacingFollower:
    """Follow a control plane's feed as a sidecar does. `known` is what it would have in force."""

    plane: ControlPlaneProcess
    known: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    cursor: str = ""

    async def follow(self, is_over: anyio.Event) -> None:
        """Follow until `is_over` is set and no more changes arrive."""
        async with self.plane.browser() as http:
            while True:
                was_over = is_over.is_set()
                changes = await self._read_page(http, wait=0 if was_over else 1)
                if was_over and not changes:
                    return

    async def _read_page(self, http: httpx2.AsyncClient, wait: int) -> list[dict[str, Any]]:
        asked: dict[str, str | int] = {"cursor": self.cursor, "wait": wait}
        answer = await http.get("/internal/feed", params=asked, headers={"X-Internal-Api-Key": INTERNAL_KEY})
        assert answer.status_code == 200, answer.text
        page = answer.json()
        if self.cursor and page["changes"]:
            assert place(page["cursor"]) > place(self.cursor)
        self.cursor = page["cursor"]
        changes: list[dict[str, Any]] = page["changes"]
        self.known |= {(change["kind"], change["id"]): change for change in changes}
        return changes


def place(cursor: str) -> int:
    return int(cursor.partition(".")[2])


@asynccontextmanager
async def followed(planes: Sequence[ControlPlaneProcess], database: Database) -> AsyncIterator[None]:
    """Follow the feed of each control plane, and check that each follower ends up with exactly the table's state."""
    followers, is_over = [RacingFollower(plane) for plane in planes for _ in range(2)], anyio.Event()
    async with anyio.create_task_group() as tasks:
        for follower in followers:
            tasks.start_soon(follower.follow, is_over)
        yield
        is_over.set()
    async with database.read() as db:
        page = json.loads((await revocation_feed.read_encoded_page(db, "")).body())
    truth = {(change["kind"], change["id"]): change for change in page["changes"]}
    for follower in followers:
        assert follower.known == truth
        assert follower.cursor == page["cursor"]


async def live(database: Database, tickets: Iterable[dict[str, Any]]) -> dict[str, int]:
    """Return the number of live sessions of each ticket that has any."""
    session = ViewingSession
    is_meant = session.ended_at.is_(None), session.ticket_id.in_([ticket["id"] for ticket in tickets])
    async with database.read() as db:
        query = select(session.ticket_id, func.count()).where(*is_meant).group_by(session.ticket_id)
        return {row[0]: row[1] for row in await db.execute(query)}
