"""Which revocations are in force at which edge: each request of a sidecar to the feed is the receipt for the last page.

Receipts are kept in memory and written in the background, so that recording one is fast; a table keeps them across a
restart and shares them between control planes. Must never delay or fail the feed. Times are seconds since 1970.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any, Final

import anyio
import structlog
from sqlalchemy import delete, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from authz_sidecar.contract.feed import Cursor
from control_plane.batches import batches
from control_plane.clock import utc_now
from control_plane.db.database import Database
from control_plane.revocations import revocation_feed
from control_plane.tables import Edge
from control_plane.tasks import every

LIVE_SECONDS: Final = 90
FORGOTTEN_AFTER: Final = timedelta(days=7)
_WRITE_EVERY_SECONDS: Final = 10
_WRITE_EVERY_SECONDS_FOR_OTHERS: Final = 1  # if other control planes may be asked what is in force
_BATCH_SIZE: Final = 500  # rows in a statement
_MAX_RECEIPTS: Final = 4_096  # per instance: enough to tell how long each of the latest revocations took
log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Instance:
    """One sidecar, by the names in its requests."""

    edge: str
    name: str


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """What one sidecar had in force at its last request; `lag` is like that of an edge."""

    who: Instance
    cursor: Cursor
    at: float
    lag: float | None


@dataclass(frozen=True, slots=True)
class EdgeState:
    """What an edge has in force: the least of what its live sidecars have in force.

    `lag` is how many seconds the newest change that was pushed there took, None before the first one.
    """

    name: str
    cursor: Cursor
    heard_at: float
    lag: float | None
    live_instances: int


@dataclass(slots=True)
class _InstanceReceipts:
    """What one sidecar has acknowledged: `first_at` contains (place, time of acknowledgement), oldest first."""

    acknowledged: int = 0
    heard_at: float = 0.0
    lag: float | None = None
    sent: tuple[int, float] | None = None
    first_at: deque[tuple[int, float]] = field(default_factory=lambda: deque(maxlen=_MAX_RECEIPTS))

    def acknowledge(self, n: int, now: float) -> None:
        if self.sent and n >= self.sent[0]:
            self.lag, self.sent = max(0.0, now - self.sent[1]), None
        if n != self.acknowledged or not self.first_at:
            self.first_at.append((n, now))
        self.acknowledged = n

    def in_force_since(self, n: int) -> float | None:
        """Return when a place was first acknowledged; None if that was before the oldest receipt that is kept."""
        steps = pairwise(self.first_at)
        return next((when for (before, _), (after, when) in steps if before < n <= after), None)


class Receipts:
    """What the sidecars have acknowledged to this process."""

    def __init__(self) -> None:
        self._edges: dict[str, dict[str, _InstanceReceipts]] = {}
        self._epoch = ""
        self._unwritten: set[Instance] = set()

    def record_receipt(self, who: Instance, cursor: Cursor, now: float) -> None:
        """Record a sidecar's request: from a place in the log, which acknowledges it, or from inside a snapshot."""
        if cursor.epoch != self._epoch:
            self._epoch, self._edges = cursor.epoch, {}
        receipts = self._edges.setdefault(who.edge, {}).setdefault(who.name, _InstanceReceipts())
        receipts.heard_at = now
        if not cursor.in_snapshot:
            receipts.acknowledge(cursor.n, now)
        self._unwritten.add(who)

    def record_push(self, who: Instance, n: int, changed_at: float) -> None:
        """Record the last change of a response and when it was made: the receipt for it will show the lag."""
        if receipts := self._edges.get(who.edge, {}).get(who.name):
            receipts.sent = (n, changed_at)

    def acknowledgements(self) -> list[Acknowledgement]:
        return [
            Acknowledgement(Instance(edge, name), Cursor(self._epoch, one.acknowledged), one.heard_at, one.lag)
            for edge, instances in self._edges.items()
            for name, one in instances.items()
        ]

    def states(self, now: float) -> list[EdgeState]:
        return _states(self.acknowledgements(), now)

    def in_force_since(self, edge: str, n: int) -> float | None:
        """Return when the last of an edge's sidecars acknowledged a place in the log; None if that is not known."""
        instances = self._edges.get(edge, {}).values()
        latest = max((receipts.heard_at for receipts in instances), default=0.0)
        moments = [one.in_force_since(n) for one in instances if latest - one.heard_at <= LIVE_SECONDS]
        return max((moment for moment in moments if moment is not None), default=None)

    def take_unwritten(self) -> list[Acknowledgement]:
        """Return what changed since the last call, and drop sidecars silent for 90 s longer than their edge."""
        taken = [one for one in self.acknowledgements() if one.who in self._unwritten]
        self._unwritten = set()
        for edge, instances in self._edges.items():
            latest = max(receipts.heard_at for receipts in instances.values())
            self._edges[edge] = {i: r for i, r in instances.items() if latest - r.heard_at <= LIVE_SECONDS}
        return taken

    def put_back(self, taken: Iterable[Acknowledgement]) -> None:
        """Mark these as unwritten again, because the last attempt to write them failed."""
        self._unwritten |= {one.who for one in taken}


def _states(acknowledgements: Iterable[Acknowledgement], now: float) -> list[EdgeState]:
    edges: dict[str, list[Acknowledgement]] = {}
    for one in acknowledgements:
        edges.setdefault(one.who.edge, []).append(one)
    return [_state(name, edges[name], now) for name in sorted(edges)]


def _state(name: str, instances: Sequence[Acknowledgement], now: float) -> EdgeState:
    """Return the state of an edge, from its live sidecars or, if there are none, from those that were live last.

    A sidecar whose last request was in another epoch has nothing in force.
    """
    latest = max(instances, key=lambda one: one.at)
    current = [one for one in instances if latest.at - one.at <= LIVE_SECONDS]
    least = min(current, key=lambda one: (one.cursor.epoch == latest.cursor.epoch, one.cursor.n))
    return EdgeState(
        name=name,
        cursor=least.cursor,
        heard_at=latest.at,
        lag=max((one.lag for one in current if one.lag is not None), default=None),
        live_instances=sum(now - one.at <= LIVE_SECONDS for one in current),
    )


async def known(db: AsyncSession, receipts: Receipts, now: float) -> list[EdgeState]:
    """Return all edges by name, from the last request of each sidecar to this process or another."""
    latest = {one.who: one for one in map(_from_row, await db.scalars(select(Edge)))}
    for one in receipts.acknowledgements():
        if one.who not in latest or one.at >= latest[one.who].at:
            latest[one.who] = one
    return _states(latest.values(), now)


async def lag_of(db: AsyncSession, state: EdgeState, now: datetime) -> float | None:
    """Return how many seconds the newest pushed change took or an older one has been waiting; None if neither."""
    waiting_since = await revocation_feed.oldest_after(db, state.cursor)
    waiting = max(0.0, (now - waiting_since).total_seconds()) if waiting_since else None
    return max((seconds for seconds in (state.lag, waiting) if seconds is not None), default=None)


async def run(database: Database, receipts: Receipts, stop: anyio.Event) -> None:
    """Write regularly until `stop`, and once more then. Never cancel it: a transaction must be ended."""
    pause = _WRITE_EVERY_SECONDS if database.is_sqlite else _WRITE_EVERY_SECONDS_FOR_OTHERS
    async for _ in every(pause, stop):
        await write_behind(database, receipts, utc_now())


async def write_behind(database: Database, receipts: Receipts, now: datetime) -> None:
    """Write what changed; keep what could not be written for the next time."""
    taken = receipts.take_unwritten()
    if not taken:
        return
    try:
        async with database.write() as db:
            await db.execute(delete(Edge).where(Edge.heard_at < now - FORGOTTEN_AFTER))
            await _write(db, taken)
    except SQLAlchemyError as error:
        receipts.put_back(taken)
        log.error("receipts_not_written", error=type(error).__name__)


async def _write(db: AsyncSession, taken: Sequence[Acknowledgement]) -> None:
    """Write what sidecars acknowledged, except those that have since sent a request to another process.

    All processes write the rows in the same order: otherwise they could deadlock.
    """
    insert = postgresql.insert if db.get_bind().dialect.name == "postgresql" else sqlite.insert
    rows: Any = insert(Edge)
    newer = {name: rows.excluded[name] for name in ("epoch", "acknowledged", "heard_at", "lag")}
    unless_newer = Edge.heard_at <= rows.excluded.heard_at
    rows = rows.on_conflict_do_update(index_elements=[Edge.name, Edge.instance], set_=newer, where=unless_newer)
    ordered = sorted(taken, key=lambda one: (one.who.edge, one.who.name))
    for batch in batches(ordered, _BATCH_SIZE):
        await db.execute(rows, [_row(one) for one in batch])


def _row(one: Acknowledgement) -> dict[str, object]:
    return {
        "name": one.who.edge,
        "instance": one.who.name,
        "epoch": one.cursor.epoch,
        "acknowledged": one.cursor.n,
        "heard_at": datetime.fromtimestamp(one.at, UTC),
        "lag": one.lag,
    }


def _from_row(row: Edge) -> Acknowledgement:
    return Acknowledgement(
        Instance(row.name, row.instance), Cursor(row.epoch, row.acknowledged), row.heard_at.timestamp(), row.lag
    )
