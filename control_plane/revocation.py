"""Revoking a ticket, deactivating an event, and lifting both again.

One entry in the feed, however many sessions it cuts. What was cut stays cut: lifting refuses every token issued
until then, and the sessions in the database are over; a fresh redemption plays at once.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from authz_sidecar.contract.feed import Change, Kind
from control_plane import events, revocation_feed, tickets
from control_plane.models import Event, Ticket, ViewingSession
from control_plane.refusals import Conflict


@dataclass(frozen=True, slots=True)
class _Tokens:
    """The newest `iat` and `exp` of the tokens that a revocation is about; seconds since 1970."""

    issued_at: int
    expire_at: int


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
        event.is_active, event.updated_at = False, now
        await _cut(db, Kind.EVENT, event.id, _of_event(event), "event", now)
    return event


async def reactivate(db: AsyncSession, event_id: str, now: datetime) -> Event:
    """Open a deactivated event again. Raise NotFound."""
    event = await events.find(db, event_id)
    if not event.is_active:
        event.is_active, event.updated_at = True, now
        event.tokens_not_before = await _lift(db, Kind.EVENT, event.id, _of_event(event), now)
    return event


async def _cut(
    db: AsyncSession, kind: Kind, subject: str, sessions: ColumnElement[bool], reason: str, now: datetime
) -> None:
    await db.flush()
    newest = await _newest_tokens(db, sessions, now)
    over = update(ViewingSession).where(sessions, ViewingSession.ended_at.is_(None))
    await db.execute(over.values(ended_at=now, end_reason=reason))
    await revocation_feed.append(db, Change(kind, subject, True, None, now.timestamp(), newest.expire_at))


async def _lift(db: AsyncSession, kind: Kind, subject: str, sessions: ColumnElement[bool], now: datetime) -> int:
    """Write the entry that lifts a revocation; return the second from which tokens are good again.

    Whole seconds are all that `iat` has: the second after the newest token, so that none of the cut ones passes.
    """
    await db.flush()
    newest = await _newest_tokens(db, sessions, now)
    not_before = max(int(now.timestamp()), newest.issued_at) + 1
    change = Change(kind, subject, False, not_before, now.timestamp(), max(newest.expire_at, not_before))
    await revocation_feed.append(db, change)
    return not_before


async def _newest_tokens(db: AsyncSession, sessions: ColumnElement[bool], now: datetime) -> _Tokens:
    columns = func.max(ViewingSession.token_issued_at), func.max(ViewingSession.token_expires_at)
    row = (await db.execute(select(*columns).where(sessions))).one()
    return _Tokens(row[0] or 0, max(row[1] or 0, int(now.timestamp())))


def _of_ticket(ticket: Ticket) -> ColumnElement[bool]:
    return ViewingSession.ticket_id == ticket.id


def _of_event(event: Event) -> ColumnElement[bool]:
    return ViewingSession.ticket_id.in_(select(Ticket.id).where(Ticket.event_id == event.id))
