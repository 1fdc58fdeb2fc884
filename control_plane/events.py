"""Events: something to watch, its time window and its stream folder."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from control_plane.models import Event, Ticket, ViewingSession, new_id
from control_plane.refusals import Conflict, NotFound
from control_plane.schemas import EventDraft, utc_now


@dataclass(frozen=True, slots=True)
class EventFigures:
    """How many tickets an event has, how many were redeemed, and how many sessions are live."""

    tickets: int = 0
    redeemed: int = 0
    watching: int = 0


async def create(db: AsyncSession, draft: EventDraft) -> Event:
    """Add an event. Raise Conflict when the draft names an id that is taken."""
    now = utc_now()
    values = draft.model_dump() | {"id": draft.id or new_id()}
    event = Event(**values, created_at=now, updated_at=now)
    db.add(event)
    try:
        await db.flush()
    except IntegrityError:
        raise Conflict("There is an event with this id already.") from None
    return event


async def find(db: AsyncSession, event_id: str) -> Event:
    """Return the event; raise NotFound."""
    event = await db.get(Event, event_id)
    if event is None:
        raise NotFound
    return event


async def page(db: AsyncSession, offset: int, limit: int) -> tuple[list[Event], int]:
    """Return one page of events that are not archived, latest start first, and how many there are in all."""
    visible = Event.is_archived.is_(False)
    total = await db.scalar(select(func.count()).select_from(Event).where(visible))
    query = select(Event).where(visible).order_by(Event.starts_at.desc(), Event.id).offset(offset).limit(limit)
    return list(await db.scalars(query)), total or 0


async def figures(db: AsyncSession, event_ids: list[str]) -> dict[str, EventFigures]:
    """Count tickets and live sessions of the given events, in two queries."""
    counted = func.count(Ticket.redeemed_at)
    tickets = select(Ticket.event_id, func.count(), counted).where(Ticket.event_id.in_(event_ids))
    live = (
        select(Ticket.event_id, func.count())
        .join(ViewingSession, ViewingSession.ticket_id == Ticket.id)
        .where(ViewingSession.ended_at.is_(None), Ticket.event_id.in_(event_ids))
    )
    watching = {row[0]: row[1] for row in await db.execute(live.group_by(Ticket.event_id))}
    rows = await db.execute(tickets.group_by(Ticket.event_id))
    return {row[0]: EventFigures(row[1], row[2], watching.get(row[0], 0)) for row in rows}


def ticket_expiry(event: Event) -> datetime:
    """Tell until when the event's tickets are good: its end and the access window after it."""
    return event.ends_at + timedelta(hours=event.access_window_hours)


def status_by_clock(event: Event, now: datetime) -> str:
    if now < event.starts_at:
        return "not-started"
    return "live" if now < event.ends_at else "ended"
