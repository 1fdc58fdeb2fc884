"""The database: confirmed changes are durable, and transactions are atomic."""

import traceback
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta, timezone

import anyio
import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import DBAPIError, IntegrityError, StatementError

from control_plane.db.database import Database, Lock, hold
from control_plane.tables import AdminUser

pytestmark = [pytest.mark.anyio, pytest.mark.both_databases]
NOON = datetime(2027, 1, 15, 12, tzinfo=UTC)


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Database]:
    database = Database(url)
    yield database
    await database.close()


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    async with opened(database_url) as database:
        yield database


def user(name: str, created_at: datetime = NOON) -> AdminUser:
    return AdminUser(username=name, password_hash="x", role="owner", created_at=created_at)


async def count(database: Database) -> int:
    async with database.read() as db:
        return await db.scalar(select(func.count()).select_from(AdminUser)) or 0


@pytest.mark.parametrize(("pragma", "value"), [("journal_mode", "wal"), ("synchronous", 2), ("foreign_keys", 1)])
async def test_sqlite_is_configured_to_survive_a_power_failure(sqlite_url: str, pragma: str, value: object) -> None:
    async with opened(sqlite_url) as database, database.write() as db:
        assert await db.scalar(text(f"PRAGMA {pragma}")) == value


async def test_postgresql_has_timeouts_and_an_operators_own_options_take_precedence(postgres_url: str) -> None:
    async with opened(f"{postgres_url}&options=-c%20lock_timeout%3D7s") as database:
        async with database.write() as db:
            assert await db.scalar(text("SHOW statement_timeout")) == "30s"
            assert await db.scalar(text("SHOW idle_in_transaction_session_timeout")) == "30s"
            assert await db.scalar(text("SHOW lock_timeout")) == "7s"
        async with database.read() as db:
            with pytest.raises(DBAPIError, match="read-only"):
                await db.execute(text("DELETE FROM ticket"))


async def test_a_reader_sees_one_state_despite_concurrent_writes(database: Database) -> None:
    async with database.read() as db:
        before = await db.scalar(select(func.count()).select_from(AdminUser))
        async with database.write() as other:
            other.add(user("late"))
        assert await db.scalar(select(func.count()).select_from(AdminUser)) == before
    assert await count(database) == 1


async def test_errors_contain_no_values(database: Database) -> None:
    name = "Rumpelstilzchen".upper()

    async def write() -> None:
        async with database.write() as db:
            db.add(user(name))

    await write()
    with pytest.raises(IntegrityError) as failed:
        await write()
    told = "".join(traceback.format_exception(failed.value))
    assert "admin_user" in told
    assert name not in told


async def test_an_exclusive_block_runs_one_at_a_time(database: Database, database_url: str) -> None:
    """Two processes that start at the same moment: the second one sees what the first one created."""
    async with opened(database_url) as elsewhere:

        async def first_come(here: Database, name: str) -> None:
            async with here.write() as db:
                await hold(db, Lock.FIRST_OWNER)
                if not await db.scalar(select(func.count()).select_from(AdminUser)):
                    await anyio.lowlevel.checkpoint()
                    db.add(user(name))

        async with anyio.create_task_group() as tasks:
            for number in range(10):
                tasks.start_soon(first_come, (database, elsewhere)[number % 2], f"owner {number}")
    assert await count(database) == 1


async def test_a_failed_block_leaves_nothing(database: Database) -> None:
    async def fail() -> None:
        async with database.write() as db:
            db.add(user("half"))
            await db.flush()
            raise RuntimeError("power cut")

    with pytest.raises(RuntimeError):
        await fail()
    assert await count(database) == 0


async def test_a_time_without_its_zone_is_never_stored(database: Database) -> None:
    with pytest.raises(StatementError, match="without a time zone"):
        async with database.write() as db:
            db.add(user("naive", NOON.replace(tzinfo=None)))
    assert await count(database) == 0


async def test_a_time_in_any_zone_is_returned_as_the_same_moment_in_utc(database: Database) -> None:
    async with database.write() as db:
        db.add(user("traveller", NOON.astimezone(timezone(timedelta(hours=-7)))))
    async with database.read() as db:
        stored = await db.scalar(select(AdminUser.created_at))
    assert stored == NOON
    assert stored.tzinfo is UTC


async def test_fifty_simultaneous_writers_queue_and_none_fails(database: Database) -> None:
    async def write(number: int) -> None:
        async with database.write() as db:
            await hold(db, Lock.FEED)
            taken = await db.scalar(select(func.count()).select_from(AdminUser))
            db.add(user(f"{number} came as {taken}"))

    with anyio.fail_after(30):
        async with anyio.create_task_group() as tasks:
            for number in range(50):
                tasks.start_soon(write, number)
    async with database.read() as db:
        names = list(await db.scalars(select(AdminUser.username)))
    assert sorted(int(name.split()[-1]) for name in names) == list(range(50))
