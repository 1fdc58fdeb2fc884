"""Clears up behind the viewers: ends sessions that nobody will end, forgets what no token can meet and what is old."""

from typing import Final

import anyio
import structlog
from sqlalchemy.exc import SQLAlchemyError

from control_plane import revocation_feed, sessions
from control_plane.database import Database
from control_plane.retention import Retention
from control_plane.schemas import utc_now

_EVERY_SECONDS: Final = 60
_AT_ONCE: Final = 200  # sessions a transaction: other writers wait for it
log = structlog.get_logger()


async def run(database: Database, retention: Retention, stop: anyio.Event) -> None:
    """Clear up every minute until `stop`. Never cancel it: a transaction wants to be ended, not dropped."""
    while not stop.is_set():
        try:
            await clear_up(database)
            await retention.apply(database, utc_now(), stop)
        except SQLAlchemyError as error:
            log.error("clear_up_failed", error=type(error).__name__)
        with anyio.move_on_after(_EVERY_SECONDS):
            await stop.wait()


async def clear_up(database: Database) -> None:
    ended = _AT_ONCE
    while ended == _AT_ONCE:
        async with database.write() as db:
            ended = await sessions.end_forgotten(db, utc_now(), _AT_ONCE)
    async with database.write() as db:
        await revocation_feed.forget_expired(db, utc_now())
