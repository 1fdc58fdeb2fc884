"""Clean up after viewers: end abandoned sessions, delete feed entries that no token can match, and delete old data."""

from datetime import datetime, timedelta
from typing import Final

import anyio
import structlog
from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from authz_sidecar.contract.steady_clock import SteadyClock
from control_plane.access.retention import Retention
from control_plane.clock import utc_now
from control_plane.db.database import Database
from control_plane.end_reasons import EndReason
from control_plane.revocations import revocation_feed
from control_plane.sessions import ending, sessions, tv_codes
from control_plane.tables import LastSeen, Ticket, ViewingSession
from control_plane.tasks import idle, repeat

_EVERY_SECONDS: Final = 60
_INITIAL_DELAY_SECONDS: Final = 10  # a process that has just started has more urgent work
_BATCH_SIZE: Final = 200  # sessions per transaction: other writers wait for it
_SILENT_FOR: Final = timedelta(hours=24)
_CLOCK_MARGIN: Final = timedelta(days=1)  # a clock that is hours ahead from the start must not delete what is valid
log = structlog.get_logger()


async def run(database: Database, retention: Retention, stop: anyio.Event) -> None:
    """Clean up every minute until `stop`, first shortly after the start.

    Nothing is deleted by a clock that was set recently: what a wrong clock deletes would be lost for good.
    """
    clock = SteadyClock()

    async def clean() -> None:
        if leap := clock.check():
            log.warning("clock_set", seconds=round(leap, 1))
        if clock.is_trusted:
            await clear_up(database)
            await retention.apply(database, utc_now(), stop)

    await idle(_INITIAL_DELAY_SECONDS, stop)
    await repeat(clean, _EVERY_SECONDS, stop, lambda error: log.error("clear_up_failed", error=error))


async def clear_up(database: Database) -> None:
    ended = _BATCH_SIZE
    while ended == _BATCH_SIZE:
        async with database.write() as db:
            ended = await end_forgotten(db, utc_now(), _BATCH_SIZE)
    async with database.write() as db:
        await revocation_feed.forget_expired(db, utc_now() - _CLOCK_MARGIN)
        await tv_codes.forget_expired(db, utc_now())


async def end_forgotten(db: AsyncSession, now: datetime, limit: int) -> int:
    """End up to `limit` abandoned sessions: past the ticket's expiry, or silent for a day. Return how many."""
    is_past = Ticket.expires_at < now - timedelta(seconds=sessions.TOKEN_GRACE_SECONDS)
    is_silent = ViewingSession.sid.in_(select(LastSeen.sid).where(LastSeen.at < now - _SILENT_FOR))
    query = (
        select(ViewingSession, is_past, Ticket)
        .join(Ticket, Ticket.id == ViewingSession.ticket_id)
        .where(ViewingSession.ended_at.is_(None), or_(is_past, is_silent))
    )
    # Locked all at once, before the feed; those that another transaction has locked can wait for the next run.
    locked_rows = query.order_by(ViewingSession.sid).with_for_update(of=ViewingSession, skip_locked=True)
    rows = (await db.execute(locked_rows.limit(limit))).all()
    for session, past, _ in rows:
        await ending.end(db, session, EndReason.EXPIRED if past else EndReason.TIMEOUT, now)
    return len(rows)
