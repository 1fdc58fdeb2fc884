"""Lists of tickets and the search in them, made for a million: by indexes, and never by reading all there are.

A part of three characters and more is looked up in the trigram index (migration 0004); a shorter one is in no such
index, so it is looked for in the newest tickets only. Whatever a search leaves out, it must say so: `is_whole`.
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
from control_plane.models import Ticket
from control_plane.tickets import ticket_counts
from control_plane.tickets.tickets import Status, TicketFilter

MOST: Final = 5_000  # tickets that a search looks at and counts: the newest, or those that the index has found
SHORTEST_INDEXED: Final = 3
_MANY: Final = 20_000  # matches
_MANY_EVENTS: Final = 50
_FTS5: Final = table("ticket_search", column("rowid"), column("ticket_search"))
_ROWID: Final[ColumnElement[int]] = literal_column("ticket.rowid")


class SearchPage(NamedTuple):
    """One page and how many there are in all; not `is_whole`: more may match than were looked at."""

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
    rows = await db.scalars(_newest_first(await _listed(db, wanted, now, offset + limit)).offset(offset).limit(limit))
    return SearchPage(rows.all(), total)


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


class _Search(ABC):
    """One search in one transaction."""

    def __init__(self, db: AsyncSession, wanted: TicketFilter, now: datetime) -> None:
        self._db, self._wanted, self._now = db, wanted, now
        self._text = wanted.search or ""
        self._code = _part_of_code(self._text)
        self._is_indexed = len(self._text) >= SHORTEST_INDEXED

    async def _among_newest(self, offset: int, limit: int) -> SearchPage:
        """Look at the MOST newest tickets that are asked for."""
        wanted = tuple(_conditions(Ticket, self._wanted, self._now))
        columns = Ticket.id, Ticket.canonical, Ticket.label, Ticket.created_at
        among = aliased(Ticket, _newest_first(select(*columns).where(*wanted)).limit(MOST).subquery())
        is_whole = await self._number(select(Ticket).where(*wanted)) <= MOST
        query = select(among.id).where(self._contains(among))
        return SearchPage(*await self._page_of(query, among, offset, limit), is_whole)

    async def _among_found(self, offset: int, limit: int, number: int) -> SearchPage:
        """Look at the MOST matches that the index has at hand, of `number` that there are."""
        return SearchPage(*await self._page_of(*self._of_index(), offset, limit), number <= MOST)

    async def _page_of(self, query: Select[Any], entity: Any, offset: int, limit: int) -> tuple[Sequence[Ticket], int]:
        """Read a page of these ids, and the total, at once."""
        counted = _newest_first(query.add_columns(func.count().over()), entity)
        ids = (await self._db.execute(counted.offset(offset).limit(limit))).all()
        if not ids and offset:
            first = (await self._db.execute(counted.limit(1))).first()
            return [], first[1] if first else 0
        tickets = await self._db.scalars(_newest_first(select(Ticket).where(Ticket.id.in_([row[0] for row in ids]))))
        return tickets.all(), ids[0][1] if ids else 0

    async def _number(self, query: Select[Any]) -> int:
        """Count, but not beyond MOST."""
        some: Select[int] = query.with_only_columns(literal_column("1"), maintain_column_froms=True).limit(MOST + 1)
        return await self._db.scalar(select(func.count()).select_from(some.subquery())) or 0

    def _code_in(self, entity: Any) -> Iterable[ColumnElement[bool]]:
        """Look for a part of a code without regard to case and look-alikes."""
        if self._code:
            yield entity.canonical.contains(self._code, autoescape=True)

    @abstractmethod
    def _matches(self) -> Select[Any]:
        """Ask the index."""

    @abstractmethod
    def _of_index(self) -> tuple[Select[Any], Any]:
        """Give the ids of the matches that the index has at hand, filtered, and what to order them by."""

    @abstractmethod
    def _contains(self, entity: Any) -> ColumnElement[bool]:
        """Look at code and label themselves; capitals make no difference."""


class _Fts5(_Search):
    """SQLite's index finds the newest first, since rows are numbered as they are made."""

    async def page(self, offset: int, limit: int) -> SearchPage:
        """Ask the index; where it knows more than are looked at, the newest may have more of what is asked for."""
        if not self._is_indexed:
            return await self._among_newest(offset, limit)
        found = await self._among_found(offset, limit, await self._number(self._matches()))
        if found.is_whole:
            return found
        return max(await self._among_newest(offset, limit), found, key=lambda one: one.total)

    def _matches(self) -> Select[Any]:
        phrases = [f"label : {_quoted(self._text)}"]
        if len(self._code) >= SHORTEST_INDEXED:
            phrases.append(f"canonical : {_quoted(self._code)}")
        return select(_FTS5.c.rowid).where(_FTS5.c.ticket_search.op("MATCH")(" OR ".join(phrases)))

    def _of_index(self) -> tuple[Select[Any], Any]:
        rowids = self._matches().order_by(_FTS5.c.rowid.desc()).limit(MOST)
        conditions = _conditions(Ticket, self._wanted, self._now, unindexed=True)
        return select(Ticket.id).where(_ROWID.in_(rowids), *conditions), Ticket

    def _contains(self, entity: Any) -> ColumnElement[bool]:
        """SQLite's LIKE tells no capitals from small letters by itself."""
        return or_(*self._code_in(entity), entity.label.contains(self._text, autoescape=True))


class _Trigrams(_Search):
    """PostgreSQL's index gathers all matches before it gives the first, and knows no order.

    Its planner takes them for evenly spread. Those of one old event are not: reading the table, or from the newest on,
    until enough are met would read it all.
    """

    async def page(self, offset: int, limit: int) -> SearchPage:
        """Look at the newest; ask the index for what is rare among them."""
        await self._db.execute(text("SET LOCAL plan_cache_mode = force_custom_plan"))
        await self._db.execute(text("SET LOCAL enable_seqscan = off"))
        newest = await self._among_newest(offset, limit)
        if newest.is_whole or not self._is_indexed or await self._are_many(newest.total):
            return newest
        number = await self._number(self._matches())
        return newest if number > MOST and newest.total else await self._among_found(offset, limit, number)

    async def _are_many(self, near: int) -> bool:
        """Tell whether so many match, if they are spread as among the newest, that counting them would take long."""
        return near / MOST * await ticket_counts.total(self._db, self._wanted.event_id) > _MANY

    def _matches(self) -> Select[Any]:
        return select(Ticket).where(self._contains(Ticket))

    def _of_index(self) -> tuple[Select[Any], Any]:
        """Keep the planner from mixing the matches with what is asked of them."""
        found = aliased(Ticket, self._matches().limit(MOST).cte("found").prefix_with("MATERIALIZED"))
        return select(found.id).where(*_conditions(found, self._wanted, self._now)), found

    def _contains(self, entity: Any) -> ColumnElement[bool]:
        return or_(*self._code_in(entity), entity.label.icontains(self._text, autoescape=True))


def _part_of_code(text: str) -> str:
    """Return what to look for among canonical codes: nothing where hardly a letter is left of what was typed."""
    part = bare(text)
    return canonical(part) if part == text or len(part) >= SHORTEST_INDEXED else ""


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


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
