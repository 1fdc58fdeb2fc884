"""Revoke a ticket, deactivate an event, and lift both again.

There is one entry in the feed, however many sessions it disconnects. They stay disconnected: lifting refuses every
token issued until then, and the sessions in the database are over; a new redemption plays at once.
"""

from collections import Counter
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from authz_sidecar.contract.feed import Change, Kind
from control_plane.end_reasons import EndReason
from control_plane.errors import Conflict, NotFound
from control_plane.events import doors, events
from control_plane.revocations import revocation_feed
from control_plane.sessions import ending
from control_plane.tables import Event, Ticket, ViewingSession
from control_plane.tickets import tickets
from control_plane.webhooks import news
from control_plane.webhooks.outbox import Topic

_MAX_IDS: Final = 10  # ids in a refusal


async def revoke(db: AsyncSession, ticket_id: str, now: datetime) -> Ticket:
    """Revoke a ticket and end its sessions. Do nothing if it is already revoked. Raise NotFound."""
    ticket, _ = await tickets.hold(db, ticket_id)
    if not ticket.is_revoked:
        ticket.is_revoked, ticket.revoked_at = True, now
        await news.report_ticket(db, Topic.TICKET_REVOKED, ticket, now)
        await ending.end_of_ticket(db, ticket, EndReason.REVOKED, now)
        expires_at = await ending.latest_expiry(db, ending.of_ticket(ticket), now)
        await revocation_feed.append(db, Change(Kind.CODE, ticket.code, True, None, now.timestamp(), expires_at))
    return ticket


async def revoke_all(db: AsyncSession, ticket_ids: Collection[str], now: datetime) -> Sequence[Ticket]:
    """Revoke several tickets, all or none, and return all of them, ordered by id. Raise NotFound.

    Revoking a thousand of them one by one would keep every viewer waiting for seconds.
    """
    await tickets.hold_all(db, ticket_ids)
    chosen = select(Ticket).where(Ticket.id.in_(ticket_ids)).order_by(Ticket.id)
    found = (await db.scalars(chosen.execution_options(populate_existing=True))).all()
    if unknown := sorted(set(ticket_ids) - {ticket.id for ticket in found}):
        shown = ", ".join(unknown[:_MAX_IDS]) + (" and others" if len(unknown) > _MAX_IDS else "")
        raise NotFound(f"Nothing was revoked: there is no ticket {shown}.")
    to_revoke = [ticket for ticket in found if not ticket.is_revoked]
    for ticket in to_revoke:
        ticket.is_revoked, ticket.revoked_at = True, now
        await news.report_ticket(db, Topic.TICKET_REVOKED, ticket, now)
    await _end_sessions(db, to_revoke, now)
    return found


async def unrevoke(db: AsyncSession, ticket_id: str, now: datetime) -> Ticket:
    """Lift the revocation of a ticket. Raise NotFound, or Conflict if the ticket has expired."""
    ticket, _ = await tickets.hold(db, ticket_id)
    if now >= ticket.expires_at:
        raise Conflict("This ticket has expired; un-revoking it would have no effect.")
    if ticket.is_revoked:
        ticket.is_revoked, ticket.revoked_at = False, None
        since = ticket.tokens_not_before = await _refuse_older_tokens(db, ending.of_ticket(ticket), now)
        expires_at = await ending.latest_expiry(db, ending.of_ticket(ticket), now)
        await revocation_feed.append(db, Change(Kind.CODE, ticket.code, False, since, now.timestamp(), expires_at))
    return ticket


async def deactivate(db: AsyncSession, event_id: str, now: datetime) -> Event:
    """Close an event to all viewers and end its sessions. Raise NotFound."""
    event = await events.find(db, event_id, for_update=True)
    if event.is_active:
        event.is_active, event.deactivated_at, event.updated_at = False, now, now
        await ending.end_of_event(db, event, EndReason.EVENT, now)
        await doors.update_feed(db, event, now)
    return event


async def reactivate(db: AsyncSession, event_id: str, now: datetime) -> Event:
    """Restore a deactivated event to its previous state; its doors may be closed. Raise NotFound."""
    event = await events.find(db, event_id, for_update=True)
    if not event.is_active:
        event.is_active, event.deactivated_at, event.updated_at = True, None, now
        event.tokens_not_before = await _refuse_older_tokens(db, ending.of_event(event), now)
        await doors.update_feed(db, event, now)
    return event


async def _end_sessions(db: AsyncSession, revoked: Sequence[Ticket], now: datetime) -> None:
    """End the sessions of these tickets, with one feed entry per ticket."""
    session = ViewingSession
    which = session.ticket_id.in_([ticket.id for ticket in revoked])
    newest = select(session.ticket_id, func.max(session.token_expires_at)).where(which).group_by(session.ticket_id)
    newest_of = dict((await db.execute(newest)).all())
    ended = Counter(ticket_id for _, ticket_id in await ending.end_all(db, which, EndReason.REVOKED, now))
    for ticket in revoked:
        ending.record(db, ended[ticket.id], EndReason.REVOKED, now, event_id=ticket.event_id, ticket_id=ticket.id)
    at, soon = now.timestamp(), int(now.timestamp()) + 1
    changes = [Change(Kind.CODE, one.code, True, None, at, max(newest_of.get(one.id, 0), soon)) for one in revoked]
    await revocation_feed.append_all(db, changes)


async def _refuse_older_tokens(db: AsyncSession, sessions: ColumnElement[bool], now: datetime) -> int:
    """Return the second from which tokens are valid once a revocation is lifted: the next one.

    `iat` has only whole seconds. A token that already bears that second, because this is done several times within
    it, is revoked by an entry for its own session.
    """
    await db.flush()
    not_before = int(now.timestamp()) + 1
    same_second = await db.scalars(select(ViewingSession).where(sessions, ViewingSession.token_issued_at >= not_before))
    for session in same_second.all():
        await revocation_feed.append(db, ending.end_of_session(session, now))
    return not_before
