"""Tells the organiser that a stream is in trouble, and once that it is over: console, log, and webhook `event.trouble`.

Streams of events that are on are looked at every ten seconds, and what viewers' pages report is taken along. Trouble is
a row, so it is told once however many processes look; it is over when none of them has seen any for a minute.
"""

import json
import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

import anyio
import structlog
from sqlalchemy import delete, exists, or_, select, update
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from control_plane.notifying import news
from control_plane.scheduling import doors
from control_plane.schemas import utc_now
from control_plane.storage.database import Database
from control_plane.storage.models import Event
from control_plane.storage.models_admin import EventTrouble
from control_plane.streaming.faults import Fault, Reason, Severity
from control_plane.streaming.stream_watch import StreamWatch
from control_plane.viewing.trouble import TroubleReports

EVERY_SECONDS: Final = 10.0
QUIET: Final = timedelta(seconds=60)
GRACE: Final = timedelta(seconds=60)  # after the start, for an encoder that comes a little late
_SEEN_ANEW: Final = timedelta(seconds=20)
_MOST_EVENTS: Final = 100
_MOST_FAULTS: Final = 5
log = structlog.get_logger()


async def run(database: Database, watch: StreamWatch, reports: TroubleReports, stop: anyio.Event) -> None:
    """Look around until `stop`. Never cancel it: a transaction wants to be ended, not dropped."""
    while not stop.is_set():
        try:
            await look_around(database, watch, reports, utc_now(), time.monotonic())
        except SQLAlchemyError as error:
            log.error("event_trouble_not_watched", error=type(error).__name__)
        with anyio.move_on_after(EVERY_SECONDS):
            await stop.wait()


async def look_around(
    database: Database, watch: StreamWatch, reports: TroubleReports, now: datetime, seconds: float
) -> None:
    """Look at all streams that are on, and tell what is news. `seconds` are those of a clock that never goes back."""
    is_on = Event.is_active & (Event.starts_at <= now) & (Event.ends_at > now)
    async with database.read() as db:
        query = select(Event, EventTrouble).outerjoin(EventTrouble, EventTrouble.event_id == Event.id)
        query = query.where(or_(is_on, EventTrouble.event_id.is_not(None)))
        query = query.order_by(EventTrouble.event_id.is_(None), Event.starts_at.desc())  # what is in trouble first
        found = [(row[0], row[1]) for row in await db.execute(query.limit(_MOST_EVENTS))]
    on = [event for event, _ in found if _is_on(event, now)]
    seen = await watch.look(on, now, seconds)
    for event, known in found:
        faults = [*seen.get(event.id, ()), *_reported(reports, event, seconds)]
        if event not in on or (known is None and now < event.starts_at + GRACE):
            faults = []
        await _tell(database, event, known, faults[:_MOST_FAULTS], now)


async def of_events(db: AsyncSession, event_ids: Sequence[str]) -> dict[str, tuple[datetime, list[Fault]]]:
    """Give the trouble that each of these events is in: since when, and what is wrong."""
    rows = await db.scalars(select(EventTrouble).where(EventTrouble.event_id.in_(event_ids)))
    return {row.event_id: (row.since, _read(row.faults)) for row in rows}


def _is_on(event: Event, now: datetime) -> bool:
    """Tell whether somebody could watch: not what is closed, for good or until its doors open."""
    return event.is_active and event.starts_at <= now < event.ends_at and not doors.is_held(event, now)


def _reported(reports: TroubleReports, event: Event, seconds: float) -> list[Fault]:
    return [
        Fault(trouble.file or "", Severity.ERROR, Reason.VIEWERS, trouble.sentence)
        for trouble in reports.of_event(event.id, seconds)
    ]


async def _tell(
    database: Database, event: Event, known: EventTrouble | None, faults: Sequence[Fault], now: datetime
) -> None:
    if faults and known is None:
        await _begin(database, event, faults, now)
    elif faults and known and (now - known.seen_at >= _SEEN_ANEW or known.faults != _written(faults)):
        values = {"seen_at": now, "faults": _written(faults)}
        async with database.write() as db:
            await db.execute(update(EventTrouble).where(EventTrouble.event_id == event.id).values(**values))
    elif known and not faults and now - known.seen_at >= QUIET:
        await _end(database, event, known, now)


async def _begin(database: Database, event: Event, faults: Sequence[Fault], now: datetime) -> None:
    """Write it down and tell of it, unless another process was first or the event is gone."""
    try:
        async with database.write() as db:
            if not await db.scalar(select(exists().where(Event.id == event.id))):
                return
            db.add(EventTrouble(event_id=event.id, since=now, seen_at=now, faults=_written(faults)))
            await db.flush()
            await news.of_trouble(db, event, now, faults, now)
    except IntegrityError:
        return
    first = faults[0]
    log.warning("event_trouble", event_id=event.id, reason=first.reason.value, file=first.file)


async def _end(database: Database, event: Event, known: EventTrouble, now: datetime) -> None:
    """Forget it and tell that it is over, unless another process has just seen it."""
    same = EventTrouble.event_id == event.id, EventTrouble.seen_at <= now - QUIET
    async with database.write() as db:
        gone = await db.execute(delete(EventTrouble).where(*same).returning(EventTrouble.event_id))
        if gone.one_or_none() is None:
            return
        await news.of_trouble(db, event, known.since, (), now)
    log.info("event_trouble_over", event_id=event.id)


def _written(faults: Sequence[Fault]) -> str:
    return json.dumps([[fault.file, fault.severity, fault.reason, fault.sentence] for fault in faults])


def _read(faults: str) -> list[Fault]:
    return [Fault(file, Severity(level), Reason(reason), told) for file, level, reason, told in json.loads(faults)]
