"""Statistics of the current state, each cheap even with a million tickets and a hundred thousand sessions.

They are read from the database: no counters are kept here, so none can get out of step.
"""

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeVar

from sqlalchemy import BigInteger, ColumnElement, case, cast, exists, extract, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from control_plane.access import audit
from control_plane.cost_limited_cache import CostLimitedCache
from control_plane.db.database import Database
from control_plane.events import events
from control_plane.tables import AuditEntry, Event, LastSeen, ViewingSession, is_watching
from control_plane.tickets import ticket_counts, tickets

T = TypeVar("T")
_STEP_SECONDS: Final = 900
_STEPS: Final = 96  # a day
_MAX_UPCOMING: Final = 5
_MAX_CURRENT: Final = 50
_VIEWER_ACTIONS: Final = (audit.REDEEM, audit.RESUME, audit.REFRESH, audit.LINK, audit.LOOK_UP)


@dataclass(frozen=True, slots=True)
class EventCounts:
    """Open events that are not over, and those within their window; whether these are live depends on their streams."""

    active: int
    current: Sequence[Event]


@dataclass(frozen=True, slots=True)
class Refusals:
    reason: str
    last_hour: int
    last_day: int


@dataclass(frozen=True, slots=True)
class Figures:
    """All statistics; `viewers` is how many were watching at which time, oldest first."""

    events: EventCounts
    upcoming: Sequence[Event]
    tickets: Mapping[str, int]
    watching: int
    viewers: Sequence[tuple[datetime, int]]
    refusals: Sequence[Refusals]


class Dashboard:
    """Caches what is expensive to count."""

    def __init__(self, database: Database, silence: timedelta) -> None:
        self._database = database
        self._silence = silence
        self._tickets: CostLimitedCache[dict[str, int]] = CostLimitedCache()
        self._watching: CostLimitedCache[int] = CostLimitedCache()
        self._viewers: CostLimitedCache[list[tuple[datetime, int]]] = CostLimitedCache()
        self._refusals: CostLimitedCache[list[Refusals]] = CostLimitedCache()

    async def figures(self, now: datetime) -> Figures:
        return Figures(
            events=await self._read(count_events, now),
            upcoming=await self._read(upcoming, now),
            tickets=await self._tickets.get(lambda: self._read(count_tickets, now)),
            watching=await self.watching(now),
            viewers=await self._viewers.get(lambda: self._read(self._viewers_of_a_day, now)),
            refusals=await self._refusals.get(lambda: self._read(count_refusals, now)),
        )

    async def watching(self, now: datetime) -> int:
        """Count current viewers: the cost grows with how many are watching, not with how many ever did."""
        return await self._watching.get(lambda: self._read(self._count_watching, now))

    async def _count_watching(self, db: AsyncSession, now: datetime) -> int:
        return await count_watching(db, now - self._silence)

    async def _viewers_of_a_day(self, db: AsyncSession, now: datetime) -> list[tuple[datetime, int]]:
        return await viewers_of_a_day(db, now, now - self._silence)

    async def _read(self, count: Callable[[AsyncSession, datetime], Awaitable[T]], now: datetime) -> T:
        async with self._database.read() as db:
            return await count(db, now)


async def count_events(db: AsyncSession, now: datetime) -> EventCounts:
    is_open = *_is_open(), Event.ends_at > now
    active = await db.scalar(select(func.count()).select_from(Event).where(*is_open))
    current = select(Event).where(*is_open, Event.starts_at <= now).order_by(Event.starts_at, Event.id)
    return EventCounts(active or 0, (await db.scalars(current.limit(_MAX_CURRENT))).all())


async def upcoming(db: AsyncSession, now: datetime) -> Sequence[Event]:
    query = select(Event).where(*_is_open(), Event.starts_at > now).order_by(Event.starts_at, Event.id)
    return (await db.scalars(query.limit(_MAX_UPCOMING))).all()


async def count_tickets(db: AsyncSession, now: datetime) -> dict[str, int]:
    """Count all tickets by status."""
    ended = await events.ended(db, now)
    return {status: await ticket_counts.of_status(db, status, ended) for status in tickets.STATUSES}


async def count_watching(db: AsyncSession, alive_since: datetime) -> int:
    return await db.scalar(select(func.count()).select_from(ViewingSession).where(is_watching(alive_since))) or 0


async def viewers_of_a_day(db: AsyncSession, now: datetime, alive_since: datetime) -> list[tuple[datetime, int]]:
    """Return how many were watching at each quarter of an hour of the last day, and now; oldest first.

    This is computed backwards from the current viewers, so that only sessions that began or ended within the day are
    read. A session that has become silent counts as ended when it was last seen.
    """
    newest = int(now.timestamp()) // _STEP_SECONDS
    since = datetime.fromtimestamp((newest - _STEPS) * _STEP_SECONDS, UTC)
    began = await _by_step(db, ViewingSession.started_at, since)
    ended = await _by_step(db, ViewingSession.ended_at, since)
    is_live = exists().where(ViewingSession.sid == LastSeen.sid, ViewingSession.ended_at.is_(None))
    ended += await _by_step(db, LastSeen.at, since, LastSeen.at <= alive_since, is_live)
    points = [(now, await count_watching(db, alive_since))]
    for step in range(newest, newest - _STEPS, -1):
        watching = points[-1][1] + ended[step] - began[step]
        points.append((datetime.fromtimestamp(step * _STEP_SECONDS, UTC), watching))
    return points[::-1]


async def count_refusals(db: AsyncSession, now: datetime) -> list[Refusals]:
    """Count the audit log's refusals of viewers by reason, the most frequent first."""
    is_recent = case((AuditEntry.at > now - timedelta(hours=1), 1))
    query = (
        select(AuditEntry.outcome, func.count(is_recent), func.count())
        .where(AuditEntry.action.in_(_VIEWER_ACTIONS), AuditEntry.at > now - timedelta(days=1))
        .where(AuditEntry.outcome != audit.DONE)
        .group_by(AuditEntry.outcome)
        .order_by(func.count().desc(), AuditEntry.outcome)
    )
    return [Refusals(*row) for row in await db.execute(query)]


async def _by_step(
    db: AsyncSession, column: InstrumentedAttribute[Any], since: datetime, *conditions: ColumnElement[bool]
) -> Counter[int]:
    step = cast(extract("epoch", column), BigInteger) // _STEP_SECONDS
    rows = await db.execute(select(step, func.count()).where(column >= since, *conditions).group_by(step))
    return Counter({int(number): count for number, count in rows})


def _is_open() -> tuple[ColumnElement[bool], ...]:
    return Event.is_active.is_(True), Event.is_archived.is_(False)
