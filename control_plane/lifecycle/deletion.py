"""Delete events and tickets permanently. What is deleted no longer plays, and nothing that happens later revives it.

Tickets and sessions are deleted and the single feed entry is written in one transaction; the audit log keeps its
entries. revival.py handles what is created later under the same code or id.
"""

from datetime import datetime
from typing import Final

from sqlalchemy import ColumnElement, delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from authz_sidecar.contract.feed import Change, Kind
from control_plane.db.announcements import announce
from control_plane.end_reasons import EndReason
from control_plane.errors import Conflict
from control_plane.events import events
from control_plane.revocations import revocation_feed
from control_plane.sessions import ending
from control_plane.streams import origins
from control_plane.tables import Event, Poster, RevocationChange, Ticket, ViewingSession
from control_plane.tickets import tickets

_UNCONFIRMED: Final = "This would delete the event, all of its tickets and their history. Confirm it with its title."
_NO_SYNC: Final = {"synchronize_session": False}  # no object of this session is used afterwards


async def delete_event(db: AsyncSession, event_id: str, title: str, now: datetime) -> None:
    """Delete an event and everything that belongs to it. Raise NotFound, or Conflict if the title does not match."""
    event = await events.find(db, event_id, for_update=True)
    if event.title != title:
        raise Conflict(_UNCONFIRMED)
    await _delete_sessions(db, Kind.EVENT, event.id, ending.of_event(event), now)
    await db.execute(delete(Ticket).where(Ticket.event_id == event.id), execution_options=_NO_SYNC)
    await db.execute(delete(Poster).where(Poster.event_id == event.id), execution_options=_NO_SYNC)
    await db.execute(delete(Event).where(Event.id == event.id), execution_options=_NO_SYNC)
    db.expunge(event)
    announce(db, origins.TOPIC)


async def delete_ticket(db: AsyncSession, ticket_id: str, now: datetime) -> Ticket:
    """Delete a ticket and return it as it was. Raise NotFound."""
    ticket, _ = await tickets.hold(db, ticket_id)
    await _delete_sessions(db, Kind.CODE, ticket.code, ending.of_ticket(ticket), now)
    await db.execute(delete(Ticket).where(Ticket.id == ticket.id), execution_options=_NO_SYNC)
    db.expunge(ticket)
    return ticket


async def _delete_sessions(
    db: AsyncSession, kind: Kind, subject: str, which: ColumnElement[bool], now: datetime
) -> None:
    """Delete the sessions and revoke their tokens: one entry, kept for as long as any of the tokens is valid."""
    expires_at = max(await ending.latest_expiry(db, which, now), await _kept_until(db, kind, subject))
    await ending.end_all(db, which, EndReason.DELETED, now)
    await db.execute(delete(ViewingSession).where(which), execution_options=_NO_SYNC)
    await revocation_feed.append(db, Change(kind, subject, True, None, now.timestamp(), expires_at))


async def _kept_until(db: AsyncSession, kind: Kind, subject: str) -> float:
    """Return until when the current entry is kept: it may concern tokens of a subject that was deleted before."""
    row = RevocationChange
    kept = await db.scalar(select(row.expires_at).where(row.kind == kind.value, row.subject == subject))
    return kept.timestamp() if kept else 0
