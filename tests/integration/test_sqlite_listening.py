"""On SQLite a look at the file wakes those who wait, if another process has announced something, and only then."""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing

import pytest
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from control_plane.db.announcements import announce
from control_plane.db.database import Database
from control_plane.db.sqlite_listening import look

pytestmark = pytest.mark.anyio
TOPIC = "chat"


@pytest.fixture
async def here(sqlite_url: str) -> AsyncIterator[Database]:
    """A process that has looked at the file."""
    database = Database(sqlite_url)
    await look(database)
    yield database
    await database.close()


@pytest.fixture
async def elsewhere(sqlite_url: str) -> AsyncIterator[Database]:
    database = Database(sqlite_url)
    yield database
    await database.close()


async def say(database: Database, *, fails: bool = False) -> None:
    async with database.write() as db:
        announce(db, TOPIC)
        if fails:
            await db.flush()
            raise RuntimeError("changed my mind")


async def write(database: Database) -> None:
    async with database.write() as db:
        await db.execute(text("UPDATE feed_epoch SET epoch = 'another'"))


async def wakes(database: Database) -> bool:
    """Return whether the next look wakes who waits now."""
    woken = database.announcements.next("any other topic")
    await look(database)
    return woken.is_set()


async def test_each_announcement_of_others_wakes_waiters_once(here: Database, elsewhere: Database) -> None:
    for _ in range(3):
        await say(elsewhere)
        assert [await wakes(here) for _ in range(2)] == [True, False]


async def test_a_rollback_and_a_write_without_an_announcement_wake_nobody(here: Database, elsewhere: Database) -> None:
    with pytest.raises(RuntimeError):
        await say(elsewhere, fails=True)
    assert not await wakes(here)
    await write(elsewhere)
    assert not await wakes(here)


async def test_own_announcements_wake_only_their_topic(here: Database) -> None:
    for _ in range(3):
        woken, not_woken = here.announcements.next(TOPIC), here.announcements.next("another")
        await say(here)
        assert (woken.is_set(), not_woken.is_set()) == (True, False)
        assert not await wakes(here)


@pytest.mark.parametrize("turns", [(True, False), (False, True), (False, True, False), (True, False, True)])
async def test_own_announcements_hide_none_of_others(here: Database, elsewhere: Database, *, turns: list[bool]) -> None:
    for is_own in turns:
        await say(here if is_own else elsewhere)
    assert [await wakes(here) for _ in range(2)] == [True, False]
    await say(here)
    assert not await wakes(here)


async def test_after_the_highest_number_comes_the_lowest(here: Database, elsewhere: Database, sqlite_url: str) -> None:
    with closing(sqlite3.connect(sqlite_url.partition("///")[2])) as file:
        file.execute(f"PRAGMA user_version = {2**31 - 1}")
    assert await wakes(here)
    await say(elsewhere)
    assert await wakes(here)


async def test_what_was_announced_while_the_file_could_not_be_read_is_received_later(
    here: Database, elsewhere: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await say(elsewhere)
    with monkeypatch.context() as broken:
        broken.setattr("control_plane.db.notices.newest", failing)
        with pytest.raises(SQLAlchemyError):
            await wakes(here)
    here.announcements.receives_notices = False  # as the loop does
    assert await wakes(here)
    assert here.announcements.receives_notices


def failing(_connection: object) -> int:
    raise SQLAlchemyError


async def test_without_writes_a_look_begins_no_transaction(here: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("control_plane.db.notices.newest", failing)
    assert not await wakes(here)
