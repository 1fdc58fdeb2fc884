"""Messages to webhooks about changes, in terms of the API: ids, titles and labels, never codes, tokens, addresses."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from control_plane.batches import batches
from control_plane.end_reasons import EndReason
from control_plane.streams.faults import Fault
from control_plane.tables import Event, Ticket, ViewingSession
from control_plane.webhooks import outbox
from control_plane.webhooks.outbox import Topic

_BATCH_SIZE: Final = 500  # ids in a query


async def report_ticket(db: AsyncSession, topic: Topic, ticket: Ticket, now: datetime) -> None:
    """Report what happened to a ticket."""
    if await outbox.is_wanted(db, topic, now):
        event = await db.get_one(Event, ticket.event_id)
        await outbox.put(db, topic, _ticket(ticket.id, ticket.label) | _event(event.id, event.title), now)


async def report_session_start(db: AsyncSession, sid: str, ticket: Ticket, event: Event, now: datetime) -> None:
    """Report that a session has started, without a query: this runs in the rush when doors open."""
    about = _ticket(ticket.id, ticket.label) | _event(event.id, event.title)
    await outbox.put(db, Topic.SESSION_STARTED, _session(sid, None) | about, now)


async def report_sessions(
    db: AsyncSession, topic: Topic, sids: Sequence[str], now: datetime, reason: EndReason | None = None
) -> None:
    """Report what happened to sessions, and why. They must be in the database already."""
    if not sids or not await outbox.is_wanted(db, topic, now):
        return
    for batch in batches(sids, _BATCH_SIZE):
        rows = await db.execute(_SESSIONS.where(ViewingSession.sid.in_(batch)))
        sessions = [_session(row.sid, reason) | _ticket(*row[1:3]) | _event(*row[3:]) for row in rows]
        await outbox.put_all(db, topic, sessions, now)


async def report_event(db: AsyncSession, topic: Topic, event: Event, now: datetime) -> None:
    """Report the state of an event."""
    window = {"startsAt": event.starts_at.isoformat(), "endsAt": event.ends_at.isoformat()}
    await outbox.put(db, topic, _event(event.id, event.title) | window, now)


async def report_trouble(
    db: AsyncSession, event: Event, since: datetime, faults: Sequence[Fault], now: datetime
) -> None:
    """Report that a stream is in trouble, and its faults; without any fault, that the trouble is over."""
    listed = [{"file": fault.file, "reason": fault.reason.value, "sentence": fault.sentence} for fault in faults]
    state = {"since": since.isoformat(), "isOver": not faults, "faults": listed}
    await outbox.put(db, Topic.EVENT_TROUBLE, _event(event.id, event.title) | state, now)


_SESSIONS: Final = (
    select(ViewingSession.sid, Ticket.id, Ticket.label, Event.id, Event.title)
    .join(Ticket, Ticket.id == ViewingSession.ticket_id)
    .join(Event, Event.id == Ticket.event_id)
    .order_by(ViewingSession.started_at)
)


def _session(sid: str, reason: EndReason | None) -> dict[str, Any]:
    return {"sid": sid} | ({"reason": reason.value} if reason else {})


def _ticket(ticket_id: str, label: str | None) -> dict[str, Any]:
    return {"ticketId": ticket_id, "label": label}


def _event(event_id: str, title: str) -> dict[str, Any]:
    return {"eventId": event_id, "eventTitle": title}
