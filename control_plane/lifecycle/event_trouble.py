"""Notify the organiser when a stream gets into trouble and when that is over: console, log, webhook `event.trouble`.

Streams of running events are checked every ten seconds, and reports of viewers' pages are included. Trouble is a row,
so it is announced once however many processes check; it is over when none of them has seen any for a minute.
"""

import json
import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

import anyio
import structlog
from sqlalchemy import delete, exists, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from control_plane.clock import Clock, utc_now
from control_plane.db.database import Database
from control_plane.events import doors
from control_plane.sessions.trouble import TroubleReports
from control_plane.streams.faults import Fault, FaultReason, Severity
from control_plane.streams.stream_watch import StreamWatch
from control_plane.tables import Event, EventTrouble
from control_plane.tasks import repeat
from control_plane.webhooks import news

EVERY_SECONDS: Final = 10.0
QUIET: Final = timedelta(seconds=60)
GRACE: Final = timedelta(seconds=60)  # after the start, for an encoder that starts a little late
_UPDATE_AFTER: Final = timedelta(seconds=20)
_MAX_EVENTS: Final = 100
_MAX_FAULTS: Final = 5
log = structlog.get_logger()


async def run(database: Database, watch: StreamWatch, reports: TroubleReports, stop: anyio.Event) -> None:
    """Check every ten seconds until `stop`."""

    async def check() -> None:
        await check_events(database, watch, reports, utc_now, time.monotonic())

    await repeat(check, EVERY_SECONDS, stop, lambda error: log.error("event_trouble_not_watched", error=error))


async def check_events(
    database: Database, watch: StreamWatch, reports: TroubleReports, clock: Clock, seconds: float
) -> None:
    """Check all running streams and announce what is new. `seconds` are those of a monotonic clock."""
    now = clock()
    is_running = Event.is_active & (Event.starts_at <= now) & (Event.ends_at > now)
    async with database.read() as db:
        query = select(Event, EventTrouble).outerjoin(EventTrouble, EventTrouble.event_id == Event.id)
        query = query.where(or_(is_running, EventTrouble.event_id.is_not(None)))
        query = query.order_by(EventTrouble.event_id.is_(None), Event.starts_at.desc())  # events in trouble first
        found = [(row[0], row[1]) for row in await db.execute(query.limit(_MAX_EVENTS))]
    running = [event for event, _ in found if _is_running(event, now)]
    found_faults = await watch.check(running, now, seconds)
    for event, known in found:
        faults = [*found_faults.get(event.id, ()), *_reported(reports, event, seconds)]
        if event not in running or (known is None and now < event.starts_at + GRACE):
            faults = []
        await _update(database, event, known, faults[:_MAX_FAULTS], clock)


async def of_events(db: AsyncSession, event_ids: Sequence[str]) -> dict[str, tuple[datetime, list[Fault]]]:
    """Return the trouble of each of these events that is in any: since when, and what is wrong."""
    rows = await db.scalars(select(EventTrouble).where(EventTrouble.event_id.in_(event_ids)))
    return {row.event_id: (row.since, _parsed(row.faults)) for row in rows}


def _is_running(event: Event, now: datetime) -> bool:
    """Return whether the event can be watched now: not if it is deactivated or its doors are closed."""
    return event.is_active and event.starts_at <= now < event.ends_at and not doors.is_held(event, now)


def _reported(reports: TroubleReports, event: Event, seconds: float) -> list[Fault]:
    return [
        Fault(trouble.file or "", Severity.ERROR, FaultReason.VIEWERS, trouble.sentence)
        for trouble in reports.of_event(event.id, seconds)
    ]


async def _update(
    database: Database, event: Event, known: EventTrouble | None, faults: Sequence[Fault], clock: Clock
) -> None:
    if faults and known is None:
        await _begin(database, event, faults, clock)
    elif faults and known and (clock() - known.seen_at >= _UPDATE_AFTER or known.faults != _serialized(faults)):
        async with database.write() as db:
            values = {"seen_at": clock(), "faults": _serialized(faults)}
            await db.execute(update(EventTrouble).where(EventTrouble.event_id == event.id).values(**values))
    elif known and not faults and clock() - known.seen_at >= QUIET:
        await _end(database, event, known, clock)


async def _begin(database: Database, event: Event, faults: Sequence[Fault], clock: Clock) -> None:
    """Record and announce trouble, unless another process was first or the event was deleted."""
    try:
        async with database.write() as db:
            if not await db.scalar(select(exists().where(Event.id == event.id))):
                return
            now = clock()
            db.add(EventTrouble(event_id=event.id, since=now, seen_at=now, faults=_serialized(faults)))
            await db.flush()
            await news.report_trouble(db, event, now, faults, now)
    except IntegrityError:
        return
    first = faults[0]
    log.warning("event_trouble", event_id=event.id, reason=first.reason.value, file=first.file)


async def _end(database: Database, event: Event, known: EventTrouble, clock: Clock) -> None:
    """Delete the record and announce the end, unless another process has just seen trouble."""
    async with database.write() as db:
        now = clock()
        conditions = EventTrouble.event_id == event.id, EventTrouble.seen_at <= now - QUIET
        deleted = await db.execute(delete(EventTrouble).where(*conditions).returning(EventTrouble.event_id))
        if deleted.one_or_none() is None:
            return
        await news.report_trouble(db, event, known.since, (), now)
    log.info("event_trouble_over", event_id=event.id)


def _serialized(faults: Sequence[Fault]) -> str:
    return json.dumps([[fault.file, fault.severity, fault.reason, fault.sentence] for fault in faults])


def _parsed(faults: str) -> list[Fault]:
    return [Fault(file, Severity(level), FaultReason(reason), text) for file, level, reason, text in json.loads(faults)]
