"""Detect that an event has begun or is over, by its stream or else by the clock, and announce each of these once.

An announcement is a row, so it is made once however many processes check. The row is also written if there is no
webhook, so that a new webhook receives nothing about the time before it.
"""

from datetime import datetime, timedelta
from typing import Final

import anyio
import structlog
from sqlalchemy import ColumnElement, and_, or_, select
from sqlalchemy.exc import IntegrityError

from control_plane.clock import Clock, utc_now
from control_plane.db.database import Database
from control_plane.events import events
from control_plane.streams.event_status import Status
from control_plane.streams.probe import Probe
from control_plane.tables import Event, EventNews
from control_plane.tasks import repeat
from control_plane.webhooks import news, outbox
from control_plane.webhooks.outbox import Topic

_EVERY_SECONDS: Final = 5.0
_EARLY: Final = timedelta(hours=1)  # a stream that begins earlier than this is noticed then
_OVERRUN: Final = timedelta(hours=12)  # after which an event is over, whatever its stream does
_AHEAD: Final = timedelta(seconds=30)  # events about to end are probed, to know by then whether the stream continues
_MAX_DELAY: Final = timedelta(hours=24)  # the end of an event is not announced after this
_BATCH_SIZE: Final = 200
_RUNNING: Final = (Status.LIVE, Status.RECORDING)
log = structlog.get_logger()


async def run(database: Database, probe: Probe, stop: anyio.Event) -> None:
    """Check every few seconds until `stop`."""

    async def check() -> None:
        await check_events(database, probe, utc_now)

    await repeat(check, _EVERY_SECONDS, stop, lambda error: log.error("events_not_watched", error=error))


async def check_events(database: Database, probe: Probe, clock: Clock) -> None:
    """Announce what is new. Streams are probed only if a webhook wants to know."""
    now = clock()
    async with database.read() as db:
        query = select(Event, _announced(Topic.EVENT_LIVE)).where(_is_due(now)).order_by(Event.ends_at)
        candidates = [(row[0], row[1]) for row in await db.execute(query.limit(_BATCH_SIZE))]
        is_wanted = await outbox.is_wanted(db, Topic.EVENT_LIVE, now) or await outbox.is_wanted(
            db, Topic.EVENT_ENDED, now
        )
    statuses = await probe.statuses([event for event, _ in candidates], now) if is_wanted else {}
    for event, has_begun in candidates:
        status = statuses.get(event.id, Status(events.status_by_clock(event, now)))
        topic = _topic_of(event, status, now)
        if topic and not (has_begun and topic is Topic.EVENT_LIVE):
            await _announce(database, event, topic, clock)


def _topic_of(event: Event, status: Status, now: datetime) -> Topic | None:
    """Return what to announce for an event with this status if nothing was announced before, or None."""
    if now < event.ends_at:
        return Topic.EVENT_LIVE if status in _RUNNING and event.is_active else None
    runs_over = status is Status.LIVE and now < event.ends_at + _OVERRUN
    return None if runs_over else Topic.EVENT_ENDED


async def _announce(database: Database, event: Event, topic: Topic, clock: Clock) -> None:
    """Make the announcement, unless another process was first."""
    try:
        async with database.write() as db:
            now = clock()
            db.add(EventNews(event_id=event.id, topic=topic.value, at=now))
            await db.flush()
            await news.report_event(db, topic, event, now)
    except IntegrityError:
        return


def _is_due(now: datetime) -> ColumnElement[bool]:
    """Select events that may be news: about to begin or running, about to end or over, and not announced yet."""
    begins = and_(Event.is_active, Event.starts_at <= now + _EARLY, Event.ends_at > now, ~_announced(Topic.EVENT_LIVE))
    was_on = or_(Event.is_active, _announced(Topic.EVENT_LIVE))
    ends = and_(was_on, Event.ends_at <= now + _AHEAD, Event.ends_at > now - _MAX_DELAY, ~_announced(Topic.EVENT_ENDED))
    return or_(begins, ends)


def _announced(topic: Topic) -> ColumnElement[bool]:
    return select(EventNews.at).where(EventNews.event_id == Event.id, EventNews.topic == topic.value).exists()
