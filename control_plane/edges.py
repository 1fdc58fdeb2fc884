"""Which edge has which revocations in force: receipts, each of which lies in a sidecar's next question to the feed.

Kept in memory and written behind, so noting one costs nothing; a table remembers names and last receipts across a
restart. Must never hold up the feed, nor fail it. Times are seconds since 1970.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Final

import anyio
import structlog
from sqlalchemy import delete, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from authz_sidecar.contract.feed import Cursor
from control_plane import revocation_feed
from control_plane.database import Database
from control_plane.models import Edge
from control_plane.schemas import utc_now

LIVE_SECONDS: Final = 90
FORGOTTEN_AFTER: Final = timedelta(days=7)
_WRITE_EVERY_SECONDS: Final = 10
_REMEMBERED_RECEIPTS: Final = 4_096  # an instance: enough to tell how long each of the latest revocations took
log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Instance:
    """One sidecar, as it calls itself when it asks."""

    edge: str
    name: str


@dataclass(frozen=True, slots=True)
class EdgeState:
    """What an edge has in force: the least of what its live sidecars have.

    `lag` is how many seconds the newest change that was pushed there took, None before the first.
    """

    name: str
    cursor: Cursor
    heard_at: float
    lag: float | None
    live_instances: int


@dataclass(slots=True)
class _Receipts:
    """What one sidecar acknowledged: `first_at` holds (place, when it was acknowledged), oldest first."""

    acknowledged: int = 0
    heard_at: float = 0.0
    lag: float | None = None
    sent: tuple[int, float] | None = None
    first_at: deque[tuple[int, float]] = field(default_factory=lambda: deque(maxlen=_REMEMBERED_RECEIPTS))

    def acknowledge(self, n: int, now: float) -> None:
        if self.sent and n >= self.sent[0]:
            self.lag, self.sent = max(0.0, now - self.sent[1]), None
        if n != self.acknowledged or not self.first_at:
            self.first_at.append((n, now))
        self.acknowledged = n

    def in_force_since(self, n: int) -> float | None:
        """Tell when it was first said to be in force; None when that was before the first receipt we remember."""
        steps = pairwise(self.first_at)
        return next((when for (before, _), (after, when) in steps if before < n <= after), None)


class Receipts:
    def __init__(self) -> None:
        self._edges: dict[str, dict[str, _Receipts]] = {}
        self._epoch = ""
        self._unwritten: set[str] = set()

    def note_question(self, who: Instance, cursor: Cursor, now: float) -> None:
        """Note that a sidecar asked: from a place in the log, which acknowledges it, or from inside a snapshot."""
        if cursor.epoch != self._epoch:
            self._epoch, self._edges = cursor.epoch, {}
        receipts = self._edges.setdefault(who.edge, {}).setdefault(who.name, _Receipts())
        receipts.heard_at = now
        if not cursor.in_snapshot:
            receipts.acknowledge(cursor.n, now)
        self._unwritten.add(who.edge)

    def note_answer(self, who: Instance, n: int, changed_at: float) -> None:
        """Note which change, made when, an answer ends with: its receipt will tell the lag."""
        if receipts := self._edges.get(who.edge, {}).get(who.name):
            receipts.sent = (n, changed_at)

    def states(self, now: float) -> list[EdgeState]:
        return [self._state(name, now) for name in sorted(self._edges)]

    def in_force_since(self, edge: str, n: int) -> float | None:
        """Tell when the last of an edge's sidecars acknowledged a place in the log; None when nobody watched."""
        moments = [receipts.in_force_since(n) for receipts in _current(self._edges.get(edge, {}))]
        return max((moment for moment in moments if moment is not None), default=None)

    def take_unwritten(self, now: float) -> list[EdgeState]:
        """Return what changed since the last time, and let go of sidecars that their edge has outlived."""
        for name in self._unwritten & self._edges.keys():
            latest = max(receipts.heard_at for receipts in self._edges[name].values())
            alive = {i: r for i, r in self._edges[name].items() if latest - r.heard_at <= LIVE_SECONDS}
            self._edges[name] = alive
        taken = [self._state(name, now) for name in sorted(self._unwritten & self._edges.keys())]
        self._unwritten = set()
        return taken

    def put_back(self, states: Iterable[EdgeState]) -> None:
        """Write these once more: the last attempt failed."""
        self._unwritten |= {state.name for state in states}

    def _state(self, name: str, now: float) -> EdgeState:
        current = _current(self._edges[name])
        least = min(current, key=lambda receipts: receipts.acknowledged)
        return EdgeState(
            name=name,
            cursor=Cursor(self._epoch, least.acknowledged),
            heard_at=max(receipts.heard_at for receipts in current),
            lag=max((receipts.lag for receipts in current if receipts.lag is not None), default=None),
            live_instances=sum(now - receipts.heard_at <= LIVE_SECONDS for receipts in current),
        )


def _current(instances: dict[str, _Receipts]) -> list[_Receipts]:
    """Return the sidecars that live, or that were the last to live: nobody knows better what is in force there."""
    latest = max((receipts.heard_at for receipts in instances.values()), default=0.0)
    return [receipts for receipts in instances.values() if latest - receipts.heard_at <= LIVE_SECONDS]


async def known(db: AsyncSession, receipts: Receipts, now: float) -> list[EdgeState]:
    """Return all edges by name: those that asked this process, and those that the table remembers."""
    rows = await db.scalars(select(Edge))
    states = {
        row.name: EdgeState(row.name, Cursor(row.epoch, row.acknowledged), row.heard_at.timestamp(), row.lag, 0)
        for row in rows
    }
    states |= {state.name: state for state in receipts.states(now)}
    return [states[name] for name in sorted(states)]


async def lag_of(db: AsyncSession, state: EdgeState, now: datetime) -> float | None:
    """Tell how many seconds the newest pushed change took, or an older one has been waiting; None when neither."""
    waiting_since = await revocation_feed.oldest_after(db, state.cursor)
    waiting = max(0.0, (now - waiting_since).total_seconds()) if waiting_since else None
    return max((seconds for seconds in (state.lag, waiting) if seconds is not None), default=None)


async def run(database: Database, receipts: Receipts, stop: anyio.Event) -> None:
    """Write behind until `stop`, and once more then. Never cancel it: a transaction wants to be ended, not dropped."""
    while not stop.is_set():
        with anyio.move_on_after(_WRITE_EVERY_SECONDS):
            await stop.wait()
        await write_behind(database, receipts, utc_now())


async def write_behind(database: Database, receipts: Receipts, now: datetime) -> None:
    """Write what changed; what could not be written is kept for the next time."""
    states = receipts.take_unwritten(now.timestamp())
    if not states:
        return
    try:
        async with database.write() as db:
            await db.execute(delete(Edge).where(Edge.heard_at < now - FORGOTTEN_AFTER))
            for state in states:  # in the order of their names, as every process does
                await db.merge(_row(state))
    except SQLAlchemyError as error:
        receipts.put_back(states)
        log.error("receipts_not_written", error=type(error).__name__)


def _row(state: EdgeState) -> Edge:
    return Edge(
        name=state.name,
        epoch=state.cursor.epoch,
        acknowledged=state.cursor.n,
        heard_at=datetime.fromtimestamp(state.heard_at, UTC),
        lag=state.lag,
    )
