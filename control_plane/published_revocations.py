"""The revocations in the form that was published for other media servers: what is in force now and began since a time.

Must never change its shape, and never let a revocation fall between two questions of which the second begins where
the first one's `serverTime` was.
"""

from collections import defaultdict
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from control_plane.database import Database
from control_plane.models import Event, Ticket
from control_plane.schemas import utc_now

_UNDER_WAY: Final = timedelta(seconds=60)  # longer than a transaction may wait for its locks


async def since(database: Database, moment: datetime) -> dict[str, Any]:
    """Return what was revoked or deactivated at `moment` or later and has not been lifted.

    A revocation bears the time at which it was asked for, and is committed later. On SQLite this process has one
    writer at a time: whoever reads in its queue finds none under way. Elsewhere the last minute is told twice, which
    does no harm.
    """
    async with database.write() as db:
        now = utc_now()
        begin = moment if database.is_sqlite else moment - _UNDER_WAY
        return {
            "revocations": await _codes(db, begin),
            "eventDeactivations": await _events(db, begin),
            "serverTime": now.isoformat(),
        }


async def _codes(db: AsyncSession, begin: datetime) -> list[dict[str, str]]:
    query = select(Ticket.code, Ticket.revoked_at).where(Ticket.is_revoked, Ticket.revoked_at >= begin)
    rows = await db.execute(query.order_by(Ticket.revoked_at, Ticket.code))
    return [{"code": code, "revokedAt": _iso(at)} for code, at in rows]


async def _events(db: AsyncSession, begin: datetime) -> list[dict[str, Any]]:
    is_meant = Event.is_active.is_(False), Event.deactivated_at >= begin
    events = await db.execute(select(Event.id, Event.deactivated_at).where(*is_meant).order_by(Event.deactivated_at))
    tickets = select(Ticket.event_id, Ticket.code).join(Event, Event.id == Ticket.event_id).where(*is_meant)
    codes: defaultdict[str, list[str]] = defaultdict(list)
    for event_id, code in await db.execute(tickets.order_by(Ticket.code)):
        codes[event_id].append(code)
    return [{"eventId": event_id, "deactivatedAt": _iso(at), "tokenCodes": codes[event_id]} for event_id, at in events]


def _iso(at: datetime | None) -> str:
    assert at  # noqa: S101 - the queries ask for those that have a time
    return at.isoformat()
