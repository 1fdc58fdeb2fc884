"""Events: something to watch, its time window and its stream folder."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from sqlalchemy import ColumnElement, func, literal, select
from sqlalchemy.ext.asyncio import AsyncSession

from control_plane.db.database import Lock, queue_for
from control_plane.errors import NotFound
from control_plane.tables import Event

StatusFilter = Literal["active", "deactivated", "archived", "upcoming", "live", "ended"]
Timeframe = Literal["upcoming", "current", "past"]
Archived = Literal["false", "true", "all"]
Order = Literal["startsAt", "-startsAt", "title", "-title", "createdAt", "-createdAt"]
_ORDERS: Final[dict[str, Any]] = {
    "startsAt": Event.starts_at,
    "title": func.lower(Event.title),
    "createdAt": Event.created_at,
}
_TIMEFRAME_OF_STATUS: Final[dict[str, Timeframe]] = {"upcoming": "upcoming", "live": "current", "ended": "past"}


@dataclass(frozen=True, slots=True)
class EventFilter:
    """The filter and the order of a list of events. `now` separates the timeframes."""

    now: datetime
    status: StatusFilter | None = None
    timeframe: Timeframe | None = None
    search: str | None = None
    archived: Archived = "false"
    order: Order = "-startsAt"


async def find(db: AsyncSession, event_id: str, *, for_update: bool = False) -> Event:
    """Return the event; raise NotFound.

    `for_update` locks it until the transaction ends; no session can begin until then either.
    """
    if for_update and db.get_bind().dialect.name == "postgresql":
        await db.execute(queue_for(Lock.EVENT, select(literal(event_id).label("id")), shared=False))
    event = await db.get(Event, event_id, populate_existing=for_update)
    if event is None:
        raise NotFound
    return event


async def page(db: AsyncSession, offset: int, limit: int, wanted: EventFilter | None = None) -> tuple[list[Event], int]:
    """Return one page of events and the total count; without a filter, of those that are not archived."""
    conditions = list(_conditions(wanted)) if wanted else [Event.is_archived.is_(False)]
    total = await db.scalar(select(func.count()).select_from(Event).where(*conditions))
    query = select(Event).where(*conditions).order_by(*_sorted_by(wanted.order if wanted else "-startsAt"))
    return list(await db.scalars(query.offset(offset).limit(limit))), total or 0


def _conditions(wanted: EventFilter) -> Iterable[ColumnElement[bool]]:
    if wanted.status == "archived" or wanted.archived == "true":
        yield Event.is_archived.is_(True)
    elif wanted.archived == "false":
        yield Event.is_archived.is_(False)
    if wanted.status == "deactivated":
        yield Event.is_active.is_(False)
    elif wanted.status and wanted.status != "archived":
        yield Event.is_active.is_(True)
    for timeframe in {wanted.timeframe, _TIMEFRAME_OF_STATUS.get(wanted.status or "")} - {None}:
        yield from _in_timeframe(timeframe, wanted.now)
    if wanted.search:
        yield Event.title.icontains(wanted.search, autoescape=True)


def _in_timeframe(timeframe: Timeframe | None, now: datetime) -> Iterable[ColumnElement[bool]]:
    if timeframe == "upcoming":
        yield Event.starts_at > now
    elif timeframe == "current":
        yield from (Event.starts_at <= now, Event.ends_at > now)
    else:
        yield Event.ends_at <= now


def _sorted_by(order: Order) -> tuple[Any, ...]:
    column = _ORDERS[order.removeprefix("-")]
    return (column.desc() if order.startswith("-") else column), Event.id


async def ended(db: AsyncSession, now: datetime) -> list[str]:
    """Return the ids of events whose tickets have expired: all tickets of an event expire at the same moment."""
    columns = Event.id, Event.ends_at, Event.access_window_hours
    rows = await db.execute(select(*columns).where(Event.ends_at <= now))
    return [event_id for event_id, ends_at, hours in rows if ends_at + timedelta(hours=hours) <= now]


def ticket_expiry(event: Event) -> datetime:
    """Return until when the event's tickets are valid: its end plus the access window."""
    return event.ends_at + timedelta(hours=event.access_window_hours)


def status_by_clock(event: Event, now: datetime) -> str:
    if now < event.starts_at:
        return "not-started"
    return "live" if now < event.ends_at else "ended"
