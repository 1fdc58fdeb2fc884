"""Lists of tickets and search in them, designed for a million tickets: by index, never by reading all of them.

A search text of three or more characters is looked up in the trigram index (migration 0004). That index has no shorter
ones, so these are searched for in the newest tickets only. A search that leaves anything out must say so: `is_whole`.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, Select, and_, column, func, literal_column, or_, select, table, text, union_all
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from control_plane.codes import bare, canonical
from control_plane.events import events
from control_plane.tables import Ticket
from control_plane.tickets import ticket_counts
from control_plane.tickets.tickets import TicketFilter, TicketStatus

MOST: Final = 5_000  # tickets that a search examines and counts: the newest, or those that the index found
SHORTEST_INDEXED: Final = 3
_TOO_MANY_MATCHES: Final = 20_000  # matches
_MAX_ENDED_EVENTS: Final = 50
_FTS5: Final = table("ticket_search", column("rowid"), column("ticket_search"))
_ROWID: Final[ColumnElement[int]] = literal_column("ticket.rowid")


class SearchPage(NamedTuple):
    """One page and the total count; if not `is_whole`, more tickets may match than were examined."""

    tickets: Sequence[Ticket]
    total: int
    is_whole: bool = True


async def page(db: AsyncSession, wanted: TicketFilter, now: datetime, offset: int, limit: int) -> SearchPage:
    """Return one page of tickets, newest first."""
    if wanted.search:
        is_sqlite = db.get_bind().dialect.name == "sqlite"
        return await (_Fts5 if is_sqlite else _Trigrams)(db, wanted, now).page(offset, limit)
    total = await _count(db, wanted, now)
    if offset >= total:
        return SearchPage([], total)
    rows = await db.scalars(_newest_first(await _listing(db, wanted, now, offset + limit)).offset(offset).limit(limit))
    return SearchPage(rows.all(), total)


async def _count(db: AsyncSession, wanted: TicketFilter, now: datetime) -> int:
    if wanted.created_at:
        query = select(func.count()).select_from(Ticket).where(*_conditions(Ticket, wanted, now))
        return await db.scalar(query) or 0
    if wanted.status is None:
        return await ticket_counts.total(db, wanted.event_id)
    return await ticket_counts.of_status(db, wanted.status, await events.ended(db, now), wanted.event_id)


async def _listing(db: AsyncSession, wanted: TicketFilter, now: datetime, needed: int) -> Select[Ticket]:
    """Return the query for the list. Expired tickets are old, so the newest of each ended event are read by index."""
    everything = select(Ticket).where(*_conditions(Ticket, wanted, now))
    if wanted.status != "expired" or wanted.event_id:
        return everything
    ended = await events.ended(db, now)
    if not 0 < len(ended) <= _MAX_ENDED_EVENTS:
        return everything
    ids = everything.with_only_columns(Ticket.id)
    per_event = [select(_newest_first(ids.where(Ticket.event_id == one)).limit(needed).subquery()) for one in ended]
    return select(Ticket).where(Ticket.id.in_(union_all(*per_event)))


class _Search(ABC):
    """One search in one transaction."""

    def __init__(self, db: AsyncSession, wanted: TicketFilter, now: datetime) -> None:
        self._db, self._wanted, self._now = db, wanted, now
        self._text = wanted.search or ""
        self._code = _code_part(self._text)
        self._is_indexed = len(self._text) >= SHORTEST_INDEXED

    async def _search_newest(self, offset: int, limit: int) -> SearchPage:
        """Search the newest tickets that pass the filter, at most MOST."""
        wanted = tuple(_conditions(Ticket, self._wanted, self._now))
        columns = Ticket.id, Ticket.canonical, Ticket.label, Ticket.created_at
        newest = aliased(Ticket, _newest_first(select(*columns).where(*wanted)).limit(MOST).subquery())
        is_whole = await self._bounded_count(select(Ticket).where(*wanted)) <= MOST
        query = select(newest.id).where(self._contains(newest))
        return SearchPage(*await self._page_of(query, newest, offset, limit), is_whole)

    async def _search_index(self, offset: int, limit: int, number: int) -> SearchPage:
        """Search the first MOST matches that the index returns, out of `number`."""
        return SearchPage(*await self._page_of(*self._index_query(), offset, limit), number <= MOST)

    async def _page_of(self, query: Select[Any], entity: Any, offset: int, limit: int) -> tuple[Sequence[Ticket], int]:
        """Read a page of these ids together with the total."""
        counted = _newest_first(query.add_columns(func.count().over()), entity)
        ids = (await self._db.execute(counted.offset(offset).limit(limit))).all()
        if not ids and offset:
            first = (await self._db.execute(counted.limit(1))).first()
            return [], first[1] if first else 0
        tickets = await self._db.scalars(_newest_first(select(Ticket).where(Ticket.id.in_([row[0] for row in ids]))))
        return tickets.all(), ids[0][1] if ids else 0

    async def _bounded_count(self, query: Select[Any]) -> int:
        """Count the rows, but stop at MOST + 1."""
        some: Select[int] = query.with_only_columns(literal_column("1"), maintain_column_froms=True).limit(MOST + 1)
        return await self._db.scalar(select(func.count()).select_from(some.subquery())) or 0

    def _code_conditions(self, entity: Any) -> Iterable[ColumnElement[bool]]:
        """Match a part of a code, ignoring case and look-alikes."""
        if self._code:
            yield entity.canonical.contains(self._code, autoescape=True)

    @abstractmethod
    def _matches(self) -> Select[Any]:
        """Return the query for all matches in the index."""

    @abstractmethod
    def _index_query(self) -> tuple[Select[Any], Any]:
        """Return a query for the ids of the first MOST matches, filtered, and the entity to order them by."""

    @abstractmethod
    def _contains(self, entity: Any) -> ColumnElement[bool]:
        """Match the code and label themselves, ignoring case."""


class _Fts5(_Search):
    """SQLite's index returns the newest first, since rows are numbered as they are created."""

    async def page(self, offset: int, limit: int) -> SearchPage:
        """Search the index; if it has more matches than are examined, more of the newest may pass the filter."""
        if not self._is_indexed:
            return await self._search_newest(offset, limit)
        found = await self._search_index(offset, limit, await self._bounded_count(self._matches()))
        if found.is_whole:
            return found
        return max(await self._search_newest(offset, limit), found, key=lambda one: one.total)

    def _matches(self) -> Select[Any]:
        phrases = [f"label : {_quoted(self._text)}"]
        if len(self._code) >= SHORTEST_INDEXED:
            phrases.append(f"canonical : {_quoted(self._code)}")
        return select(_FTS5.c.rowid).where(_FTS5.c.ticket_search.op("MATCH")(" OR ".join(phrases)))

    def _index_query(self) -> tuple[Select[Any], Any]:
        rowids = self._matches().order_by(_FTS5.c.rowid.desc()).limit(MOST)
        conditions = _conditions(Ticket, self._wanted, self._now, unindexed=True)
        return select(Ticket.id).where(_ROWID.in_(rowids), *conditions), Ticket

    def _contains(self, entity: Any) -> ColumnElement[bool]:
        """SQLite's LIKE ignores case by default."""
        return or_(*self._code_conditions(entity), entity.label.contains(self._text, autoescape=True))


class _Trigrams(_Search):
    """PostgreSQL's index collects all matches before it returns the first, and has no order.

    The planner assumes that they are evenly spread. Those of one old event are not: a scan of the table, or from the
    newest ticket on, until enough are found would read all of it.
    """

    async def page(self, offset: int, limit: int) -> SearchPage:
        """Search the newest tickets; use the index for what is rare among them."""
        await self._db.execute(text("SET LOCAL plan_cache_mode = force_custom_plan"))
        await self._db.execute(text("SET LOCAL enable_seqscan = off"))
        newest = await self._search_newest(offset, limit)
        if newest.is_whole or not self._is_indexed or await self._has_too_many_matches(newest.total):
            return newest
        number = await self._bounded_count(self._matches())
        return newest if number > MOST and newest.total else await self._search_index(offset, limit, number)

    async def _has_too_many_matches(self, among_newest: int) -> bool:
        """Return whether so many match, assuming the same share as among the newest, that counting them takes long."""
        return among_newest / MOST * await ticket_counts.total(self._db, self._wanted.event_id) > _TOO_MANY_MATCHES

    def _matches(self) -> Select[Any]:
        return select(Ticket).where(self._contains(Ticket))

    def _index_query(self) -> tuple[Select[Any], Any]:
        """Keep the planner from combining the index lookup with the filter."""
        found = aliased(Ticket, self._matches().limit(MOST).cte("found").prefix_with("MATERIALIZED"))
        return select(found.id).where(*_conditions(found, self._wanted, self._now)), found

    def _contains(self, entity: Any) -> ColumnElement[bool]:
        return or_(*self._code_conditions(entity), entity.label.icontains(self._text, autoescape=True))


def _code_part(text: str) -> str:
    """Return what to look up in canonical codes: nothing if hardly any letters of the input are left."""
    part = bare(text)
    return canonical(part) if part == text or len(part) >= SHORTEST_INDEXED else ""


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def _newest_first(query: Any, entity: Any = Ticket) -> Any:
    return query.order_by(entity.created_at.desc(), entity.id.desc())


def _conditions(entity: Any, wanted: TicketFilter, now: datetime, *, unindexed: bool = False) -> Iterable[Any]:
    """`unindexed` keeps SQLite, which has no statistics, from reading an event's tickets if the matches are fewer."""
    if wanted.event_id:
        yield (entity.event_id.concat("") if unindexed else entity.event_id) == wanted.event_id
    if wanted.status:
        yield has_status(entity, wanted.status, now)
    if wanted.created_at:
        yield entity.created_at == wanted.created_at


def has_status(entity: Any, status: TicketStatus, now: datetime) -> ColumnElement[bool]:
    valid = and_(entity.is_revoked.is_(False), entity.expires_at > now)
    conditions: dict[TicketStatus, ColumnElement[bool]] = {
        "revoked": entity.is_revoked.is_(True),
        "expired": and_(entity.is_revoked.is_(False), entity.expires_at <= now),
        "redeemed": and_(valid, entity.redeemed_at.is_not(None)),
        "unused": and_(valid, entity.redeemed_at.is_(None)),
    }
    return conditions[status]
