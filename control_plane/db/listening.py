"""Receives notices of what other processes have committed: PostgreSQL sends them right after the commit.

A notice that nobody receives is lost: so all waiting tasks are woken whenever the connection is new, and the feed is
still polled now and then. Must never begin a transaction, because it is cancelled at any point. On SQLite,
sqlite_listening.py does all this.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import anyio
import structlog
from psycopg import AsyncConnection, Error, sql

from authz_sidecar.contract.backoff import Backoff
from control_plane.db import sqlite_listening
from control_plane.db.announcements import Announcements
from control_plane.db.database import Database
from control_plane.db.engines import direct_arguments
from control_plane.db.notices import CHANNEL, Notice

_TEST_EVERY_SECONDS: Final = 10.0
_FIRST_PAUSE_SECONDS: Final = 0.1
_LONGEST_PAUSE_SECONDS: Final = 5.0
log = structlog.get_logger()


async def run(database: Database, stop: anyio.Event) -> None:
    """Listen until `stop`, on a connection of its own that is reopened when it breaks."""
    if database.is_sqlite:
        await sqlite_listening.run(database, stop)
        return
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_listen, database)
        await stop.wait()
        tasks.cancel_scope.cancel()


async def _listen(database: Database) -> None:
    backoff = Backoff(_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS)
    while True:
        try:
            async with _connect(database) as connection:
                await connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(CHANNEL)))
                backoff.reset()
                await _receive(connection, database)
        except (Error, OSError) as error:
            log.error("not_listening", error=type(error).__name__)
        finally:
            database.announcements.receives_notices = False
        await backoff.pause()


@asynccontextmanager
async def _connect(database: Database) -> AsyncIterator[AsyncConnection]:
    """Provide a connection that is closed even when cancelled; psycopg's own context may wait before it closes."""
    connection = await AsyncConnection.connect(**direct_arguments(database.engine), autocommit=True)
    try:
        yield connection
    finally:
        await connection.close()  # never waits


async def _receive(connection: AsyncConnection, database: Database) -> None:
    announcements = database.announcements
    announcements.receives_notices = True
    announcements.wake_all()
    while True:
        async for notification in connection.notifies(timeout=_TEST_EVERY_SECONDS):
            _announce(Notice.parse(notification.payload), announcements, database.name)
        await connection.execute("SELECT 1")  # a dead connection is noticed only when it is used


def _announce(notice: Notice, announcements: Announcements, own_name: str) -> None:
    if notice.sender != own_name:  # own commits have been announced already
        announcements.wake([notice.topic])
