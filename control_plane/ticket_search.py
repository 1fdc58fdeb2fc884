"""Lists of tickets and the search in them, made for a million: by indexes, and never by reading all there are.

A part of three characters and more is looked up in the trigram index (migration 0004); a shorter one is in no such
index, so it is looked for in the newest tickets only. Whatever a search leaves out, it must say so: `is_whole`.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, Select, and_, column, func, literal_column, select, table, text, union_all
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from control_plane import events, ticket_counts
from control_plane.models import Ticket
from control_plane.tickets import Status, TicketFilter

MOST: Final = 10_000  # what a search counts
MOST_READ: Final = 5_000  # tickets that it looks at itself: of what the index has found, or of the newest
SHORTEST_INDEXED: Final = 3
_MANY_EVENTS: Final = 50
_FTS5: Final = table("ticket_search", column("rowid"), column("ticket_search"))
_ROWID: Final[ColumnElement[int]] = literal_column("ticket.rowid")


class Found(NamedTuple):
    """One page and how many there are in all; not `is_whole`: more may match than were looked at."""

    tickets: Sequence[Ticket]
    total: int
    is_whole: bool = True


async def page(db: AsyncSession, wanted: TicketFilter, now: datetime, offset: int, limit: int) -> Found:
    """Return one page of tickets, newest first."""
    if wanted.search:
        return await _Search(db, wanted, now).page(offset, limit)
    total = await _count(db, wanted, now)
    if offset >= total:
        return Found([], total)
    rows = await db.scalars(_newest_first(await _listed(db, wanted, now, offset + limit)).offset(offset).limit(limit))
    return Found(rows.all(), total)


async def _count(db: AsyncSession, wanted: TicketFilter, now: datetime) -> int:
    if wanted.created_at:
        query = select(func.count()).select_from(Ticket).where(*_conditions(Ticket, wanted, now))
        return await db.scalar(query) or 0
    if wanted.status is None:
        return await ticket_counts.total(db, wanted.event_id)
    return await ticket_counts.of_status(db, wanted.status, await events.ended(db, now), wanted.event_id)


async def _listed(db: AsyncSession, wanted: TicketFilter, now: datetime, needed: int) -> Select[Ticket]:
    """Say where the list is read from. Expired tickets are old ones: each ended event has its newest at hand."""
    everything = select(Ticket).where(*_conditions(Ticket, wanted, now))
    if wanted.status != "expired" or wanted.event_id:
        return everything
    ended = await events.ended(db, now)
    if not 0 < len(ended) <= _MANY_EVENTS:
        return everything
    ids = everything.with_only_columns(Ticket.id)
    of_each = [select(_newest_first(ids.where(Ticket.event_id == one)).limit(needed).subquery()) for one in ended]
    return select(Ticket).where(Ticket.id.in_(union_all(*of_each)))


class _Search:
    """One search in one transaction."""

    def __init__(self, db: AsyncSession, wanted: TicketFilter, now: datetime) -> None:
        self._db, self._wanted, self._now = db, wanted, now
        self._is_sqlite = db.get_bind().dialect.name == "sqlite"

    async def page(self, offset: int, limit: int) -> Found:
        """Ask the index. What is too short for it, or too common to be sorted out, is looked for in the newest."""
        wanted = self._wanted
        if not self._is_sqlite:  # the best way depends on what is looked for
            await self._db.execute(text("SET LOCAL plan_cache_mode = force_custom_plan"))
        if len(wanted.search or "") < SHORTEST_INDEXED:
            return await self._among_newest(offset, limit)
        number = await self._number(self._matches())
        if not (wanted.event_id or wanted.status or wanted.created_at):
            return await self._unfiltered(number, offset, limit)
        if number > MOST_READ and wanted.event_id:
            return await self._among_newest(offset, limit)
        return await self._page_of(self._filtered(), number <= MOST_READ, offset, limit)

    async def _unfiltered(self, number: int, offset: int, limit: int) -> Found:
        total = min(number, MOST)
        if offset >= total:
            return Found([], total, number <= MOST)
        limit = min(limit, total - offset)
        if self._is_sqlite:  # rows are numbered as they are made
            rowids = self._matches().order_by(_FTS5.c.rowid.desc()).offset(offset).limit(limit)
            rows = await self._db.scalars(select(Ticket).where(_ROWID.in_(rowids)).order_by(_ROWID.desc()))
            return Found(rows.all(), total, number <= MOST)
        found: Any = aliased(Ticket, _materialized(self._matches())) if number <= MOST else Ticket
        query = select(found) if number <= MOST else self._matches()
        rows = await self._db.scalars(_newest_first(query, found).offset(offset).limit(limit))
        return Found(rows.all(), total, number <= MOST)

    async def _among_newest(self, offset: int, limit: int) -> Found:
        columns = Ticket.id, Ticket.code, Ticket.label, Ticket.created_at
        newest = _newest_first(select(*columns).where(*_conditions(Ticket, self._wanted, self._now)))
        among = aliased(Ticket, newest.limit(MOST_READ).subquery())
        query = _newest_first(select(among.id).where(self._contains(among)), among)
        return await self._page_of(query, await self._number(newest) <= MOST_READ, offset, limit)

    def _filtered(self) -> Any:
        """Take the newest matches first and filter them then: their number is bounded, an event's is not."""
        if self._is_sqlite:
            rowids = self._matches().order_by(_FTS5.c.rowid.desc()).limit(MOST_READ)
            conditions = _conditions(Ticket, self._wanted, self._now, unindexed=True)
            return _newest_first(select(Ticket.id).where(_ROWID.in_(rowids), *conditions))
        found = aliased(Ticket, _materialized(_newest_first(self._matches()).limit(MOST_READ)))
        return _newest_first(select(found.id).where(*_conditions(found, self._wanted, self._now)), found)

    async def _page_of(self, query: Select[Any], is_whole: bool, offset: int, limit: int) -> Found:  # noqa: FBT001
        """Read the page and the total at once."""
        counted = query.add_columns(func.count().over())
        ids = (await self._db.execute(counted.offset(offset).limit(limit))).all()
        if not ids and offset:
            first = (await self._db.execute(counted.limit(1))).first()
            return Found([], first[1] if first else 0, is_whole)
        tickets = await self._db.scalars(_newest_first(select(Ticket).where(Ticket.id.in_([row[0] for row in ids]))))
        return Found(tickets.all(), ids[0][1] if ids else 0, is_whole)

    async def _number(self, query: Select[Any]) -> int:
        """Count, but not far beyond MOST."""
        some: Select[int] = (
            query.with_only_columns(literal_column("1"), maintain_column_froms=True).order_by(None).limit(MOST + 1)
        )
        return await self._db.scalar(select(func.count()).select_from(some.subquery())) or 0

    def _matches(self) -> Select[Any]:
        if not self._is_sqlite:
            return select(Ticket).where(self._contains(Ticket))
        phrase = '"' + (self._wanted.search or "").replace('"', '""') + '"'
        return select(_FTS5.c.rowid).where(_FTS5.c.ticket_search.op("MATCH")(phrase))

    def _contains(self, entity: Any) -> ColumnElement[bool]:
        """SQLite's LIKE tells no capitals from small letters by itself."""
        how = "contains" if self._is_sqlite else "icontains"
        code, label = (getattr(part, how)(self._wanted.search, autoescape=True) for part in (entity.code, entity.label))
        found: ColumnElement[bool] = code | label
        return found


def _materialized(query: Select[Any]) -> Any:
    """Keep PostgreSQL from mixing it with what is asked of its result."""
    return query.cte("found").prefix_with("MATERIALIZED")


def _newest_first(query: Any, entity: Any = Ticket) -> Any:
    return query.order_by(entity.created_at.desc(), entity.id.desc())


def _conditions(entity: Any, wanted: TicketFilter, now: datetime, *, unindexed: bool = False) -> Iterable[Any]:
    """`unindexed` keeps SQLite, which has no statistics, from reading an event's tickets where fewer are known."""
    if wanted.event_id:
        yield (entity.event_id.concat("") if unindexed else entity.event_id) == wanted.event_id
    if wanted.status:
        yield has_status(entity, wanted.status, now)
    if wanted.created_at:
        yield entity.created_at == wanted.created_at


def has_status(entity: Any, status: Status, now: datetime) -> ColumnElement[bool]:
    valid = and_(entity.is_revoked.is_(False), entity.expires_at > now)
    conditions: dict[Status, ColumnElement[bool]] = {
        "revoked": entity.is_revoked.is_(True),
        "expired": and_(entity.is_revoked.is_(False), entity.expires_at <= now),
        "redeemed": and_(valid, entity.redeemed_at.is_not(None)),
        "unused": and_(valid, entity.redeemed_at.is_(None)),
    }
    return conditions[status]
