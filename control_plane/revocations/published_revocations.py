"""Revocations in the format published for other media servers: those that began since a time and are in force now.

The format must never change. No revocation may be missed between two requests if the second one starts at the
`serverTime` of the first.
"""

from collections import defaultdict
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Select, exists, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from authz_sidecar.contract.feed import Kind
from control_plane.clock import utc_now
from control_plane.db.database import Database
from control_plane.tables import Event, RevocationChange, Ticket

_UNDER_WAY: Final = timedelta(seconds=60)  # longer than a transaction may wait for its locks


async def since(database: Database, moment: datetime) -> dict[str, Any]:
    """Return what was revoked or deactivated at `moment` or later and has not been lifted.

    A revocation has the time at which its transaction began, and is committed later. On SQLite this process has one
    writer at a time: a read in its queue finds none in progress. On PostgreSQL the last minute is returned twice,
    which does no harm.
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
    query = select(Ticket.revoked_at, Ticket.code).where(Ticket.is_revoked, Ticket.revoked_at >= begin)
    rows = [*await db.execute(query), *await db.execute(_deleted(Kind.CODE, Ticket.code, begin))]
    return [{"code": code, "revokedAt": _iso(at)} for at, code in sorted(map(tuple, rows))]


async def _events(db: AsyncSession, begin: datetime) -> list[dict[str, Any]]:
    conditions = Event.is_active.is_(False), Event.deactivated_at >= begin
    found = [*await db.execute(select(Event.deactivated_at, Event.id).where(*conditions))]
    found += await db.execute(_deleted(Kind.EVENT, Event.id, begin))
    tickets = select(Ticket.event_id, Ticket.code).join(Event, Event.id == Ticket.event_id).where(*conditions)
    codes: defaultdict[str, list[str]] = defaultdict(list)
    for event_id, code in await db.execute(tickets.order_by(Ticket.code)):
        codes[event_id].append(code)
    events = sorted(map(tuple, found))
    return [{"eventId": event_id, "deactivatedAt": _iso(at), "tokenCodes": codes[event_id]} for at, event_id in events]


def _deleted(kind: Kind, known: InstrumentedAttribute[str], begin: datetime) -> Select[datetime, str]:
    """Select what only the feed knows: what was deleted, for as long as one of its tokens lasts."""
    change = RevocationChange
    conditions = change.kind == kind.value, change.revoked, change.at >= begin
    return select(change.at, change.subject).where(*conditions, ~exists().where(known == change.subject))


def _iso(at: datetime | None) -> str:
    assert at  # noqa: S101 - the queries select only rows with a time
    return at.isoformat()
