"""Detect writes to a SQLite file since the last check."""

import sqlite3
from contextlib import closing

import pytest
from sqlalchemy import text

from control_plane.db.database import Database

pytestmark = pytest.mark.anyio
WRITE = "UPDATE feed_epoch SET epoch = 'another'"


@pytest.fixture
async def database(sqlite_url: str) -> Database:
    return Database(sqlite_url)


async def test_the_first_check_reports_a_change_and_the_next_one_none(database: Database) -> None:
    assert await database.may_have_changed()
    assert not await database.may_have_changed()
    async with database.read() as db:
        assert await db.scalar(text("SELECT epoch FROM feed_epoch"))
    assert not await database.may_have_changed()
    await database.close()


async def test_writes_of_this_process_count(database: Database) -> None:
    await database.may_have_changed()
    async with database.write() as db:
        await db.execute(text(WRITE))
    assert [await database.may_have_changed() for _ in range(2)] == [True, False]
    await database.close()


async def test_writes_of_another_process_count(database: Database, sqlite_url: str) -> None:
    await database.may_have_changed()
    with closing(sqlite3.connect(sqlite_url.partition("///")[2])) as other, other:
        other.execute(WRITE)
    assert [await database.may_have_changed() for _ in range(2)] == [True, False]
    await database.close()


async def test_it_holds_no_connection_of_the_pool(database: Database) -> None:
    await database.may_have_changed()
    assert database.connections_in_use() == {"read": 0}
    await database.close()


async def test_a_database_that_cannot_be_read_may_have_changed(database: Database, sqlite_url: str) -> None:
    await database.close()
    file = sqlite_url.partition("///")[2]
    with open(file, "r+b") as broken:  # noqa: ASYNC230, PTH123
        broken.write(b"no database" * 10)
    assert await database.may_have_changed()
    await database.close()
