"""Deleting events and tickets for good. What is deleted plays no more, and nothing that comes later revives it.

Tickets, sessions and the feed's one entry go in one transaction; what the audit log says of them stays. What comes
again under the same code or id is revival.py's.
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
from control_plane.models import Event, Poster, RevocationChange, Ticket, ViewingSession
from control_plane.revocations import revocation_feed
from control_plane.sessions import ending
from control_plane.streams import origins
from control_plane.tickets import tickets

_UNCONFIRMED: Final = "This would delete the event, all of its tickets and their history. Confirm it with its title."
_UNSEEN: Final = {"synchronize_session": False}  # nothing that this session knows is used afterwards


async def delete_event(db: AsyncSession, event_id: str, title: str, now: datetime) -> None:
    """Delete an event with all that hangs from it. Raise NotFound, or Conflict when the title is another one."""
    event = await events.find(db, event_id, for_update=True)
    if event.title != title:
        raise Conflict(_UNCONFIRMED)
    mine = select(Ticket.id).where(Ticket.event_id == event.id)
    await _delete_sessions(db, Kind.EVENT, event.id, ViewingSession.ticket_id.in_(mine), now)
    await db.execute(delete(Ticket).where(Ticket.event_id == event.id), execution_options=_UNSEEN)
    await db.execute(delete(Poster).where(Poster.event_id == event.id), execution_options=_UNSEEN)
    await db.execute(delete(Event).where(Event.id == event.id), execution_options=_UNSEEN)
    db.expunge(event)
    announce(db, origins.TOPIC)


async def delete_ticket(db: AsyncSession, ticket_id: str, now: datetime) -> Ticket:
    """Delete a ticket and return what it was. Raise NotFound."""
    ticket, _ = await tickets.hold(db, ticket_id)
    await _delete_sessions(db, Kind.CODE, ticket.code, ViewingSession.ticket_id == ticket.id, now)
    await db.execute(delete(Ticket).where(Ticket.id == ticket.id), execution_options=_UNSEEN)
    db.expunge(ticket)
    return ticket


async def _delete_sessions(
    db: AsyncSession, kind: Kind, subject: str, mine: ColumnElement[bool], now: datetime
) -> None:
    """Delete the sessions, and let nobody play on: one entry, kept for as long as one of their tokens lasts."""
    expires_at = max(await ending.latest_expiry(db, mine, now), await _kept_until(db, kind, subject))
    await ending.end_all(db, mine, EndReason.DELETED, now)
    await db.execute(delete(ViewingSession).where(mine), execution_options=_UNSEEN)
    await revocation_feed.append(db, Change(kind, subject, True, None, now.timestamp(), expires_at))


async def _kept_until(db: AsyncSession, kind: Kind, subject: str) -> float:
    """Tell until when the entry of now is kept: it may be about tokens of one that was deleted before."""
    row = RevocationChange
    kept = await db.scalar(select(row.expires_at).where(row.kind == kind.value, row.subject == subject))
    return kept.timestamp() if kept else 0
