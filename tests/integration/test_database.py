"""The database: what was answered is kept, and a transaction is kept in whole or not at all."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta, timezone

import anyio
import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import StatementError

from control_plane.database import Database
from control_plane.models import AdminUser

pytestmark = pytest.mark.anyio
NOON = datetime(2027, 1, 15, 12, tzinfo=UTC)


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    database = Database(database_url)
    yield database
    await database.close()


def user(name: str, created_at: datetime = NOON) -> AdminUser:
    return AdminUser(username=name, password_hash="x", role="owner", created_at=created_at)


async def count(database: Database) -> int:
    async with database.read() as db:
        return await db.scalar(select(func.count()).select_from(AdminUser)) or 0


@pytest.mark.parametrize(("pragma", "value"), [("journal_mode", "wal"), ("synchronous", 2), ("foreign_keys", 1)])
async def test_sqlite_is_told_to_survive_a_power_cut(database: Database, pragma: str, value: object) -> None:
    async with database.write() as db:
        assert await db.scalar(text(f"PRAGMA {pragma}")) == value


async def test_a_block_that_fails_leaves_nothing(database: Database) -> None:
    async def fail() -> None:
        async with database.write() as db:
            db.add(user("half"))
            await db.flush()
            raise RuntimeError("power cut")

    with pytest.raises(RuntimeError):
        await fail()
    assert await count(database) == 0


async def test_a_time_without_its_zone_is_never_stored(database: Database) -> None:
    with pytest.raises(StatementError, match="without its zone"):
        async with database.write() as db:
            db.add(user("naive", NOON.replace(tzinfo=None)))
    assert await count(database) == 0


async def test_a_time_of_any_zone_comes_back_as_the_same_moment_in_utc(database: Database) -> None:
    async with database.write() as db:
        db.add(user("traveller", NOON.astimezone(timezone(timedelta(hours=-7)))))
    async with database.read() as db:
        stored = await db.scalar(select(AdminUser.created_at))
    assert stored == NOON
    assert stored.tzinfo is UTC


async def test_fifty_writers_at_once_queue_up_and_none_fails(database: Database) -> None:
    async def write(number: int) -> None:
        async with database.write() as db:
            taken = await db.scalar(select(func.count()).select_from(AdminUser))
            db.add(user(f"{number} came as {taken}"))

    with anyio.fail_after(30):
        async with anyio.create_task_group() as tasks:
            for number in range(50):
                tasks.start_soon(write, number)
    async with database.read() as db:
        names = list(await db.scalars(select(AdminUser.username)))
    assert sorted(int(name.split()[-1]) for name in names) == list(range(50))
