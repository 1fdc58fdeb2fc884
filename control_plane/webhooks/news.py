"""What rules tell webhooks, in the words of the API: ids, titles and labels. Never a code, a token or an address."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from control_plane.end_reasons import EndReason
from control_plane.models import Event, Ticket, ViewingSession
from control_plane.streams.faults import Fault
from control_plane.webhooks import outbox
from control_plane.webhooks.outbox import Topic

_AT_ONCE: Final = 500  # ids a query


async def of_ticket(db: AsyncSession, topic: Topic, ticket: Ticket, now: datetime) -> None:
    """Tell what happened to a ticket."""
    if await outbox.is_wanted(db, topic, now):
        event = await db.get_one(Event, ticket.event_id)
        await outbox.put(db, topic, _of_ticket(ticket.id, ticket.label) | _of_event(event.id, event.title), now)


async def of_start(db: AsyncSession, sid: str, ticket: Ticket, event: Event, now: datetime) -> None:
    """Tell that a session has begun, without a look at what is at hand: doors are open now."""
    about = _of_ticket(ticket.id, ticket.label) | _of_event(event.id, event.title)
    await outbox.put(db, Topic.SESSION_STARTED, _of_session(sid, None) | about, now)


async def of_sessions(
    db: AsyncSession, topic: Topic, sids: Sequence[str], now: datetime, reason: EndReason | None = None
) -> None:
    """Tell what happened to sessions, and why. They must be in the database already."""
    if not sids or not await outbox.is_wanted(db, topic, now):
        return
    for first in range(0, len(sids), _AT_ONCE):
        rows = await db.execute(_SESSIONS.where(ViewingSession.sid.in_(sids[first : first + _AT_ONCE])))
        told = [_of_session(row.sid, reason) | _of_ticket(*row[1:3]) | _of_event(*row[3:]) for row in rows]
        await outbox.put_all(db, topic, told, now)


async def of_event(db: AsyncSession, topic: Topic, event: Event, now: datetime) -> None:
    """Tell how an event stands now."""
    window = {"startsAt": event.starts_at.isoformat(), "endsAt": event.ends_at.isoformat()}
    await outbox.put(db, topic, _of_event(event.id, event.title) | window, now)


async def of_trouble(db: AsyncSession, event: Event, since: datetime, faults: Sequence[Fault], now: datetime) -> None:
    """Tell that a stream is in trouble, and what is wrong; without any fault, that it is over."""
    told = [{"file": fault.file, "reason": fault.reason.value, "sentence": fault.sentence} for fault in faults]
    standing = {"since": since.isoformat(), "isOver": not faults, "faults": told}
    await outbox.put(db, Topic.EVENT_TROUBLE, _of_event(event.id, event.title) | standing, now)


_SESSIONS: Final = (
    select(ViewingSession.sid, Ticket.id, Ticket.label, Event.id, Event.title)
    .join(Ticket, Ticket.id == ViewingSession.ticket_id)
    .join(Event, Event.id == Ticket.event_id)
    .order_by(ViewingSession.started_at)
)


def _of_session(sid: str, reason: EndReason | None) -> dict[str, Any]:
    return {"sid": sid} | ({"reason": reason.value} if reason else {})


def _of_ticket(ticket_id: str, label: str | None) -> dict[str, Any]:
    return {"ticketId": ticket_id, "label": label}


def _of_event(event_id: str, title: str) -> dict[str, Any]:
    return {"eventId": event_id, "eventTitle": title}
