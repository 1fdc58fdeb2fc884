"""Hears what other processes have committed: PostgreSQL tells whoever listens, the moment after the commit.

A notice that nobody heard is gone: so whoever waits is woken whenever the line is new, and the feed is looked at now
and then all the same. Must never begin a transaction: it is cancelled wherever it stands.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import anyio
import structlog
from psycopg import AsyncConnection, Error, sql

from control_plane.db.announcements import CHANNEL, Announcements, Notice
from control_plane.db.database import Database
from control_plane.db.engines import direct_arguments

_TEST_EVERY_SECONDS: Final = 10.0
_FIRST_PAUSE_SECONDS: Final = 0.1
_LONGEST_PAUSE_SECONDS: Final = 5.0
log = structlog.get_logger()


async def run(database: Database, stop: anyio.Event) -> None:
    """Listen until `stop`, on a line of its own that is made anew for as long as it takes. SQLite has none."""
    if database.is_sqlite:
        return
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_listen, database)
        await stop.wait()
        tasks.cancel_scope.cancel()


async def _listen(database: Database) -> None:
    pause = _FIRST_PAUSE_SECONDS
    while True:
        try:
            async with _line(database) as line:
                await line.execute(sql.SQL("LISTEN {}").format(sql.Identifier(CHANNEL)))
                pause = _FIRST_PAUSE_SECONDS
                await _hear(line, database)
        except (Error, OSError) as error:
            log.error("not_listening", error=type(error).__name__)
        finally:
            database.announcements.hears_others = False
        await anyio.sleep(pause)
        pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)


@asynccontextmanager
async def _line(database: Database) -> AsyncIterator[AsyncConnection]:
    """Give a connection that is closed even when cancelled; psycopg's own context may wait before it closes."""
    line = await AsyncConnection.connect(**direct_arguments(database.engine), autocommit=True)
    try:
        yield line
    finally:
        await line.close()  # never waits


async def _hear(line: AsyncConnection, database: Database) -> None:
    announcements = database.announcements
    announcements.hears_others = True
    announcements.wake_all()
    while True:
        async for heard in line.notifies(timeout=_TEST_EVERY_SECONDS):
            _pass_on(Notice.parse(heard.payload), announcements, database.name)
        await line.execute("SELECT 1")  # a line that is dead does not say so by itself


def _pass_on(notice: Notice, announcements: Announcements, own_name: str) -> None:
    if notice.sender != own_name:  # its own commits it has announced already
        announcements.wake([notice.topic])
