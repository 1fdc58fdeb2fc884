"""Receives notices of what other processes have committed to a SQLite file, by looking five times a second.

A notice has no topic, so it wakes all waiting tasks: only notices of others do, no other writes, however many.
"""

from functools import partial
from typing import Final

import anyio
import structlog

from control_plane.db import notices
from control_plane.db.database import Database
from control_plane.tasks import repeat

_LOOK_EVERY_SECONDS: Final = 0.2
_PAUSE_AFTER_FAILURE_SECONDS: Final = 5.0
log = structlog.get_logger()


async def run(database: Database, stop: anyio.Event) -> None:
    """Look until `stop`."""

    def on_failure(error: str) -> None:
        database.announcements.receives_notices = False
        log.error("not_listening", error=error)

    await repeat(partial(look, database), _LOOK_EVERY_SECONDS, stop, on_failure, _PAUSE_AFTER_FAILURE_SECONDS)


async def look(database: Database) -> None:
    """Wake all waiting tasks if others have sent notices. If nothing was written since, that costs one number."""
    if await database.may_have_changed() or not database.announcements.receives_notices:
        async with database.read() as db:
            newest = await (await db.connection()).run_sync(notices.newest)
        database.announcements.receive_all_until(newest)
        database.announcements.receives_notices = True
