"""A database with a listener, which stands for a process."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import anyio

from control_plane.db import listening
from control_plane.db.database import Database

PATIENCE_SECONDS: Final = 30  # nothing else wakes: a notice arrives, or never does


@asynccontextmanager
async def process(url: str) -> AsyncIterator[Database]:
    database, stop = Database(url), anyio.Event()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(listening.run, database, stop)
        await is_listening(database)
        yield database
        stop.set()
    await database.close()


async def is_listening(database: Database) -> None:
    with anyio.fail_after(PATIENCE_SECONDS):
        while not database.announcements.receives_notices:  # noqa: ASYNC110 - there is no event to wait for
            await anyio.sleep(0.01)
