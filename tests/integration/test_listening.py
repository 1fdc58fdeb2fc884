"""Commits are announced to other processes at once, on PostgreSQL, and listeners survive a lost connection."""

import gc
import time
import warnings

import anyio
import psycopg
import pytest
from psycopg import waiting

from authz_sidecar.contract.feed import Change, Kind
from control_plane.db.announcements import announce
from control_plane.db.database import Database
from control_plane.revocations import revocation_feed
from tests.support.clients.api import make_settings, running
from tests.support.listening import PATIENCE_SECONDS, is_listening, process

pytestmark = pytest.mark.anyio
TOPIC = revocation_feed.TOPIC


async def test_a_commit_wakes_waiters_in_another_process(postgres_url: str) -> None:
    async with process(postgres_url) as one, process(postgres_url) as other:
        woken = other.announcements.next(TOPIC)
        async with one.write() as db:
            announce(db, TOPIC)
            assert not woken.is_set()
        with anyio.fail_after(PATIENCE_SECONDS):
            await woken.wait()


async def test_a_rollback_wakes_no_waiter_and_a_topic_only_its_own_waiters(postgres_url: str) -> None:
    async with process(postgres_url) as one, process(postgres_url) as other:
        woken, fence = other.announcements.next(TOPIC), other.announcements.next("fence")
        with pytest.raises(RuntimeError):
            await fail(one)
        async with one.write() as db:
            announce(db, "fence")
        with anyio.fail_after(PATIENCE_SECONDS):
            await fence.wait()
        assert not woken.is_set()


async def fail(database: Database) -> None:
    async with database.write() as db:
        announce(db, TOPIC)
        raise RuntimeError("changed my mind")


async def test_no_waiter_is_woken_twice_by_a_commit_of_its_own_process(postgres_url: str) -> None:
    async with process(postgres_url) as one, process(postgres_url) as other:
        async with one.write() as db:
            announce(db, TOPIC)
        again, fence = one.announcements.next(TOPIC), one.announcements.next("fence")
        async with other.write() as db:
            announce(db, "fence")
        with anyio.fail_after(PATIENCE_SECONDS):
            await fence.wait()
        assert not again.is_set()


async def test_waiters_are_woken_when_a_lost_connection_is_restored(postgres_url: str) -> None:
    async with process(postgres_url) as one:
        woken = one.announcements.next(TOPIC)
        async with await psycopg.AsyncConnection.connect(libpq(postgres_url), autocommit=True) as line:
            await line.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND query LIKE 'LISTEN%'"
            )
        with anyio.fail_after(PATIENCE_SECONDS):
            await woken.wait()
        await is_listening(one)


async def test_the_connection_is_closed_however_busy_the_process_is_when_it_stops(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where psycopg lets others have their turn, it can be cancelled; a line that is left open warns when collected."""
    monkeypatch.setattr(waiting, "MAX_BUSY_TIME", 0)
    gc.collect()  # what other tests have left
    with warnings.catch_warnings(record=True, action="always") as left:
        async with process(postgres_url):
            pass
        gc.collect()
    assert [str(warning.message) for warning in left] == []


@pytest.mark.both_databases
async def test_a_feed_that_another_process_writes_to_is_pushed(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The feed is not polled here, so only a notice can end the wait for each change."""
    monkeypatch.setattr(revocation_feed, "_SLOW_POLL_SECONDS", 3600.0)
    writer = Database(database_url)
    async with running(make_settings(database_url)) as plane:
        await is_listening(plane.services.database)
        cursor = (await plane.feed())["cursor"]
        for number in range(5):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(append_soon, writer, plane.services.database, f"code{number}")
                page = await plane.feed(cursor, wait=30)
            [change] = page["changes"]
            assert change["id"] == f"code{number}"
            cursor = page["cursor"]
    await writer.close()


async def append_soon(writer: Database, reader: Database, code: str) -> None:
    """Append once somebody waits for it."""
    with anyio.fail_after(PATIENCE_SECONDS):
        while TOPIC not in reader.announcements._events:  # noqa: ASYNC110 - there is no event to wait for
            await anyio.sleep(0.001)
    now = time.time()
    async with writer.write() as db:
        await revocation_feed.append(db, Change(Kind.CODE, code, True, None, now, now + 3600))


def libpq(url: str) -> str:
    return url.replace("+psycopg", "")
