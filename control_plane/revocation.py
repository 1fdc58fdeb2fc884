"""Revoking a ticket, deactivating an event, and lifting both again.

One entry in the feed, however many sessions it cuts. What was cut stays cut: lifting refuses every token issued
until then, and the sessions in the database are over; a fresh redemption plays at once.
"""

from datetime import datetime

from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from authz_sidecar.contract.feed import Change, Kind
from control_plane import events, revocation_feed, tickets
from control_plane.models import Event, Ticket, ViewingSession
from control_plane.refusals import Conflict
from control_plane.sessions import end_of_session


async def revoke(db: AsyncSession, ticket_id: str, now: datetime) -> Ticket:
    """Revoke a ticket and end its sessions. Does nothing to one that is revoked. Raise NotFound."""
    ticket = await tickets.find(db, ticket_id, for_update=True)
    if not ticket.is_revoked:
        ticket.is_revoked, ticket.revoked_at = True, now
        await _cut(db, Kind.CODE, ticket.code, _of_ticket(ticket), "revoked", now)
    return ticket


async def unrevoke(db: AsyncSession, ticket_id: str, now: datetime) -> Ticket:
    """Let a revoked ticket in again. Raise NotFound, or Conflict once it has expired."""
    ticket = await tickets.find(db, ticket_id, for_update=True)
    if now >= ticket.expires_at:
        raise Conflict("This ticket has expired; there is nothing to give back.")
    if ticket.is_revoked:
        ticket.is_revoked, ticket.revoked_at = False, None
        ticket.tokens_not_before = await _lift(db, Kind.CODE, ticket.code, _of_ticket(ticket), now)
    return ticket


async def deactivate(db: AsyncSession, event_id: str, now: datetime) -> Event:
    """Close an event to everybody and end its sessions. Raise NotFound."""
    event = await events.find(db, event_id)
    if event.is_active:
        event.is_active, event.deactivated_at, event.updated_at = False, now, now
        await _cut(db, Kind.EVENT, event.id, _of_event(event), "event", now)
    return event


async def reactivate(db: AsyncSession, event_id: str, now: datetime) -> Event:
    """Open a deactivated event again. Raise NotFound."""
    event = await events.find(db, event_id)
    if not event.is_active:
        event.is_active, event.deactivated_at, event.updated_at = True, None, now
        event.tokens_not_before = await _lift(db, Kind.EVENT, event.id, _of_event(event), now)
    return event


async def _cut(
    db: AsyncSession, kind: Kind, subject: str, sessions: ColumnElement[bool], reason: str, now: datetime
) -> None:
    await db.flush()
    expires_at = await _latest_expiry(db, sessions, now)
    over = update(ViewingSession).where(sessions, ViewingSession.ended_at.is_(None))
    await db.execute(over.values(ended_at=now, end_reason=reason))
    await revocation_feed.append(db, Change(kind, subject, True, None, now.timestamp(), expires_at))


async def _lift(db: AsyncSession, kind: Kind, subject: str, sessions: ColumnElement[bool], now: datetime) -> int:
    """Write what lifts a revocation; return the second from which tokens are good again: the next one.

    Whole seconds are all that `iat` has. A token that bears that second already, because this is done several
    times within it, is cut by an entry of its own session.
    """
    await db.flush()
    not_before = int(now.timestamp()) + 1
    expires_at = await _latest_expiry(db, sessions, now)
    too_new = await db.scalars(select(ViewingSession).where(sessions, ViewingSession.token_issued_at >= not_before))
    for session in too_new.all():
        await revocation_feed.append(db, end_of_session(session, now))
    await revocation_feed.append(db, Change(kind, subject, False, not_before, now.timestamp(), expires_at))
    return not_before


async def _latest_expiry(db: AsyncSession, sessions: ColumnElement[bool], now: datetime) -> int:
    """Return the newest `exp` of these sessions' tokens: until then an entry about them must be kept."""
    newest = await db.scalar(select(func.max(ViewingSession.token_expires_at)).where(sessions))
    return max(newest or 0, int(now.timestamp()) + 1)


def _of_ticket(ticket: Ticket) -> ColumnElement[bool]:
    return ViewingSession.ticket_id == ticket.id


def _of_event(event: Event) -> ColumnElement[bool]:
    return ViewingSession.ticket_id.in_(select(Ticket.id).where(Ticket.event_id == event.id))
