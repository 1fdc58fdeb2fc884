"""End sessions: one, or many at once. What happens when sessions end is the list `ON_END`.

The caller of `end_all` writes the entry of the feed, which covers all of the sessions.
"""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import ColumnElement, Row, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from authz_sidecar.contract.feed import Change, Kind
from control_plane.access import audit
from control_plane.access.actors import Actor
from control_plane.end_reasons import EndReason
from control_plane.revocations import revocation_feed
from control_plane.tables import Event, Ticket, ViewingSession
from control_plane.webhooks import news
from control_plane.webhooks.outbox import Topic

OnEnd = Callable[[AsyncSession, Sequence[str], datetime, EndReason], Awaitable[None]]


async def _notify_webhooks(db: AsyncSession, sids: Sequence[str], now: datetime, reason: EndReason) -> None:
    await news.report_sessions(db, Topic.SESSION_ENDED, sids, now, reason)


# Each is called in the transaction that ends the sessions, with their sids, after they are ended and before the feed
# is written. A feature that stores something for live sessions adds its function here.
ON_END: Final[list[OnEnd]] = [_notify_webhooks]
_SYSTEM: Final = Actor.system()


async def end(db: AsyncSession, session: ViewingSession, reason: EndReason, now: datetime, by: Actor = _SYSTEM) -> None:
    """End one live session, with its own entries in the feed and the audit log."""
    session.ended_at, session.end_reason, session.seen_until = now, reason, session.last_seen_at
    ticket = await db.get(Ticket, session.ticket_id)
    about = audit.About(session.sid, ticket.event_id if ticket else None, session.ticket_id, {"reason": reason.value})
    audit.record(db, by, audit.END, now, about)
    await db.flush()
    await _after(db, [session.sid], now, reason)
    await revocation_feed.append(db, end_of_session(session, now))


def end_of_session(session: ViewingSession, now: datetime) -> Change:
    """Return the feed entry that revokes all of the session's tokens."""
    return Change(Kind.SESSION, session.sid, True, None, now.timestamp(), session.token_expires_at)


def of_ticket(ticket: Ticket) -> ColumnElement[bool]:
    return ViewingSession.ticket_id == ticket.id


def of_event(event: Event) -> ColumnElement[bool]:
    return ViewingSession.ticket_id.in_(select(Ticket.id).where(Ticket.event_id == event.id))


async def end_of_ticket(db: AsyncSession, ticket: Ticket, reason: EndReason, now: datetime) -> None:
    """End the live sessions of a ticket, with one entry in the audit log."""
    ended = await end_all(db, of_ticket(ticket), reason, now)
    record(db, len(ended), reason, now, event_id=ticket.event_id, ticket_id=ticket.id)


async def end_of_event(db: AsyncSession, event: Event, reason: EndReason, now: datetime) -> None:
    """End the live sessions of an event, with one entry in the audit log."""
    ended = await end_all(db, of_event(event), reason, now)
    record(db, len(ended), reason, now, event_id=event.id)


async def end_all(
    db: AsyncSession, which: ColumnElement[bool], reason: EndReason, now: datetime
) -> Sequence[Row[str, str]]:
    """End the live sessions among these, without an entry in the audit log. Return the sid and ticket id of each."""
    live = await hold_live(db, which)
    values = {"ended_at": now, "end_reason": reason, "seen_until": ViewingSession.last_seen_at}
    await db.execute(update(ViewingSession).where(which, ViewingSession.ended_at.is_(None)).values(values))
    await _after(db, [sid for sid, _ in live], now, reason)
    return live


async def hold_live(db: AsyncSession, which: ColumnElement[bool]) -> Sequence[Row[str, str]]:
    """Lock the live sessions among these, in a fixed order.

    No other transaction begins or ends one of them until this one is done.
    """
    await db.flush()
    live = select(ViewingSession.sid, ViewingSession.ticket_id).where(which, ViewingSession.ended_at.is_(None))
    return (await db.execute(live.order_by(ViewingSession.sid).with_for_update())).all()


def record(
    db: AsyncSession, number: int, reason: EndReason, now: datetime, *, event_id: str, ticket_id: str | None = None
) -> None:
    """Record in one audit entry that `number` sessions were ended; the sessions themselves say which ones, and when."""
    if number:
        about = audit.About(None, event_id, ticket_id, {"reason": reason.value, "sessions": number})
        audit.record(db, Actor.system(), audit.END, now, about)


async def latest_expiry(db: AsyncSession, which: ColumnElement[bool], now: datetime) -> int:
    """Return the latest `exp` of these sessions' tokens: an entry about them must be kept until then."""
    newest = await db.scalar(select(func.max(ViewingSession.token_expires_at)).where(which))
    return max(newest or 0, int(now.timestamp()) + 1)


async def _after(db: AsyncSession, sids: Sequence[str], now: datetime, reason: EndReason) -> None:
    for call in ON_END:
        await call(db, sids, now, reason)
