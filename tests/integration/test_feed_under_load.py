"""The feed under load: many writers, large snapshots, new epochs; a follower always ends with the correct state."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest
from sqlalchemy import insert, select, update

from authz_sidecar.contract.feed import Change, Kind
from authz_sidecar.follower import Feed, Follower
from authz_sidecar.revocations import Revocations
from control_plane.clock import utc_now
from control_plane.db.database import Database
from control_plane.revocations import revocation_feed
from control_plane.tables import FeedEpoch, RevocationChange
from tests.support.clients.api import INTERNAL_KEY, Admin, ControlPlane, make_settings
from tests.support.services.serving import feed_of, serving

pytestmark = [pytest.mark.anyio, pytest.mark.both_databases]
ROOT = Path(__file__).parents[2]


async def follow(plane: ControlPlane, cursor: str, count: int, heard: list[dict[str, Any]]) -> None:
    """Poll as a sidecar does, until this many changes were received, then a little longer to see that no more come."""
    while len(heard) < count:
        page = await plane.feed(cursor, wait=30)
        heard += page["changes"]
        cursor = page["cursor"]
    assert (await plane.feed(cursor))["changes"] == []


async def writer(database_url: str, prefix: str, count: int) -> asyncio.subprocess.Process:
    """Start a separate process that is ready to write."""
    argv = sys.executable, "-m", "tests.support.services.feed_writer", database_url, prefix, str(count)
    process = await asyncio.create_subprocess_exec(*argv, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout
    assert await process.stdout.readline() == b"ready\n"
    return process


async def write_once(process: asyncio.subprocess.Process) -> None:
    assert process.stdin
    assert process.stdout
    process.stdin.write(b"go\n")
    assert await process.stdout.readline() == b"done\n"


async def log_of(plane: ControlPlane) -> list[str]:
    """Return the log's changes, in order."""
    async with plane.services.database.read() as db:
        return list(await db.scalars(select(RevocationChange.subject).order_by(RevocationChange.n)))


async def test_a_follower_gets_every_change_of_ten_busy_admins_once_and_in_order(
    plane: ControlPlane, admin: Admin
) -> None:
    made = await admin.codes(await admin.create_event(), 200)
    cursor, heard = (await plane.feed())["cursor"], list[dict[str, Any]]()

    async def revoke(tickets: list[dict[str, Any]]) -> None:
        for ticket in tickets:
            await admin.patch("tokens", ticket["id"], "revoke")

    with anyio.fail_after(300):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(follow, plane, cursor, len(made), heard)
            for number in range(10):
                tasks.start_soon(revoke, made[number::10])
    order = [change["id"] for change in heard]
    assert order == await log_of(plane)
    assert sorted(order) == sorted(ticket["code"] for ticket in made)
    for number in range(10):
        mine = [ticket["code"] for ticket in made[number::10]]
        assert [code for code in order if code in mine] == mine


async def test_changes_of_several_processes_are_pushed_in_commit_order_and_none_is_skipped(
    plane: ControlPlane, database_url: str
) -> None:
    cursor, heard = (await plane.feed())["cursor"], list[dict[str, Any]]()

    writers = [await writer(database_url, prefix, 30) for prefix in "ab"]
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(follow, plane, cursor, 300, heard)
        for turn in range(1, 6):  # in rounds, so that no process finishes before the other begins
            async with anyio.create_task_group() as together:
                for process in writers:
                    together.start_soon(write_once, process)
            with anyio.fail_after(25):  # a request waits for 30 s; changes of other processes arrive earlier
                while len(heard) < 60 * turn:  # noqa: ASYNC110 - other processes set no event
                    await anyio.sleep(0.01)
    for process in writers:
        await process.communicate(b"")
    order = [change["id"] for change in heard]
    assert order == await log_of(plane)
    for prefix in "ab":
        assert [code for code in order if code[0] == prefix] == [f"{prefix}{number:06d}" for number in range(150)]
    assert order != sorted(order)


@dataclass
class InBetween:
    """A feed that runs a function after each of its answers."""

    feed: Feed
    happen: Callable[[int], Awaitable[None]]
    answers: int = 0

    async def ask(self, cursor: str, *, wait: bool) -> bytes:
        answer = await self.feed.ask(cursor, wait=wait)
        self.answers += 1
        await self.happen(self.answers)
        return answer


async def fill(database: Database, count: int, expires_in: timedelta = timedelta(hours=1)) -> None:
    now = utc_now()
    rows = [
        {"kind": "code", "subject": f"c{number:07d}", "revoked": True, "at": now, "expires_at": now + expires_in}
        for number in range(count)
    ]
    async with database.write() as db:
        await db.execute(insert(RevocationChange), rows)


async def test_each_page_of_a_snapshot_names_the_next_one_in_a_header_too(
    plane: ControlPlane, database: Database
) -> None:
    await fill(database, 25_000)
    cursor, named = "", list[str | None]()
    async with plane.browser() as sidecar:
        for _ in range(3):
            asked = {"cursor": cursor, "wait": "0"}
            answer = await sidecar.get("/internal/feed", params=asked, headers={"X-Internal-Api-Key": INTERNAL_KEY})
            link = answer.links.get("next", {}).get("url", "")
            named.append(httpx2.URL(link).params.get("cursor"))
            assert named[-1] == answer.json().get("next")
            cursor = named[-1] or ""
    assert [bool(name) for name in named] == [True, True, False]


async def change(database: Database, kind: Kind, subject: str, *, revoked: bool) -> None:
    now = utc_now().timestamp()
    async with database.write() as db:
        entry = Change(kind, subject, revoked, None if revoked else int(now) + 1, now, now + 3600)
        await revocation_feed.append(db, entry)


async def truth(database: Database) -> dict[Kind, dict[str, Any]]:
    """Return the state of a sidecar that has received everything."""
    async with database.read() as db:
        page = await revocation_feed.read_page(db, "", limit=100_000)
    return held(Revocations(page.changes))


def held(revocations: Revocations | None) -> dict[Kind, dict[str, Any]]:
    assert revocations is not None
    return {
        kind: {subject: subjects.get(subject) for subject in subjects} for kind, subjects in revocations.by_kind.items()
    }


@pytest.fixture
async def socket(database_url: str, tmp_path: Path) -> AsyncIterator[Path]:
    """A control plane on a unix socket."""
    path = tmp_path / "control.sock"
    async with serving(make_settings(database_url), path):
        yield path


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """The same database, opened separately."""
    elsewhere = Database(database_url)
    yield elsewhere
    await elsewhere.close()


async def test_a_large_snapshot_during_which_much_changes_ends_in_exactly_the_final_state(
    socket: Path, database: Database
) -> None:
    await fill(database, 25_000)

    async def happen(answers: int) -> None:
        if answers <= 4:
            for number in (17, 9_999, 10_000, 24_000 + answers):
                await change(database, Kind.CODE, f"c{number:07d}", revoked=answers % 2 == 0)
            await change(database, Kind.EVENT, f"event-{answers}", revoked=True)

    async with feed_of(socket) as feed:
        follower = Follower(InBetween(feed, happen))
        with anyio.fail_after(60):
            for _ in range(2):
                await follower.sync_once()
                assert follower.revocations(0) is None
            await follower.sync_once()
            while held(follower.revocations(0)) != await truth(database):
                await follower.sync_once()
    final = held(follower.revocations(0))
    assert len(final[Kind.CODE]) == 25_000
    assert len(final[Kind.EVENT]) == 4


async def test_another_epoch_leads_to_a_snapshot_that_replaces_everything(socket: Path, database: Database) -> None:
    await change(database, Kind.CODE, "before", revoked=True)
    async with feed_of(socket) as feed:
        follower = Follower(feed)
        await follower.sync_once()
        assert held(follower.revocations(0))[Kind.CODE].keys() == {"before"}
        async with database.write() as db:
            await db.execute(update(FeedEpoch).values(epoch="restored"))
            await db.execute(update(RevocationChange).values(subject="restored"))
        with anyio.fail_after(25):
            await follower.sync_once()
    assert held(follower.revocations(0))[Kind.CODE].keys() == {"restored"}
    assert follower._cursor.startswith("restored.")


async def test_only_entries_that_no_live_token_can_match_are_dropped_from_the_feed(
    socket: Path, database: Database
) -> None:
    await fill(database, 5_000, expires_in=timedelta(minutes=10))  # so that the control plane's own reaper keeps them
    later = utc_now() + timedelta(minutes=13)
    await change(database, Kind.CODE, "alive", revoked=True)
    async with feed_of(socket) as feed:
        old, young = Follower(feed), Follower(feed)
        await old.sync_once()
        async with database.write() as db:
            await revocation_feed.forget_expired(db, later)
        await young.sync_once()
        await change(database, Kind.CODE, "new", revoked=True)
        with anyio.fail_after(25):
            for follower in (old, young):
                await follower.sync_once()
    assert held(young.revocations(0))[Kind.CODE].keys() == {"alive", "new"}
    known = old.revocations(0)
    assert known
    assert sum(known.forget_expired(later.timestamp())) == 5_000
    assert held(known) == held(young.revocations(0))
