"""Tickets: the right to watch one event until it expires."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any, Final, Literal

from sqlalchemy import ColumnElement, Select, and_, bindparam, func, insert, literal, literal_column, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from control_plane.codes import canonical, new_code
from control_plane.db.database import Lock, queue_for
from control_plane.db.direct import Direct, DirectQuery
from control_plane.errors import EventUnavailable, NotFound, TicketExpired, TicketRevoked, UnknownCode
from control_plane.events.events import ticket_expiry
from control_plane.tables import Event, Ticket, ViewingSession, is_watching

TicketStatus = Literal["revoked", "expired", "redeemed", "unused"]
STATUSES: Final[tuple[TicketStatus, ...]] = ("revoked", "expired", "redeemed", "unused")


@dataclass(frozen=True, slots=True)
class TicketFilter:
    """The filter of a list of tickets; `search` is part of a code or label, `created_at` selects one batch."""

    event_id: str | None = None
    status: TicketStatus | None = None
    search: str | None = None
    created_at: datetime | None = None


async def generate(
    db: AsyncSession, event: Event, count: int, now: datetime, label: str | None = None
) -> Sequence[Ticket]:
    """Create `count` tickets with new codes, all or none (the transaction is the caller's)."""
    event = await hold_event(db, event.id)
    shared = {"event_id": event.id, "label": label or None, "expires_at": ticket_expiry(event), "created_at": now}
    rows = [{"code": new_code(), **shared} for _ in range(count)]
    return (await db.scalars(insert(Ticket).returning(Ticket), rows)).all()


async def hold_event(db: AsyncSession, event_id: str) -> Event:
    """Lock the event, so that its end does not change while tickets are created for it. Raise NotFound."""
    await _lock_events_shared(db, select(literal(event_id).label("id")))
    event = await db.get(Event, event_id, populate_existing=True)
    if event is None:
        raise NotFound
    return event


async def _lock_events_shared(db: AsyncSession, ids: Select[str]) -> None:
    if db.get_bind().dialect.name == "postgresql":
        await db.execute(queue_for(Lock.EVENT, ids, shared=True))


async def find(db: AsyncSession, ticket_id: str) -> Ticket:
    """Return the ticket; raise NotFound."""
    ticket = await db.get(Ticket, ticket_id)
    if ticket is None:
        raise NotFound
    return ticket


async def find_by_code(db: AsyncSession, code: str, *, for_update: bool = False) -> tuple[Ticket, Event]:
    """Return the code's ticket and its event; raise UnknownCode.

    If no ticket has the code exactly as typed, it matches the only ticket that differs from it just in case and
    look-alikes. Both cases are one query, so the response time does not reveal which of them it was.
    `for_update` locks both until the transaction ends, as `hold` does. Changes to the returned objects are not written
    automatically.
    """
    wanted = {"wanted": code, "canonical": canonical(code)}
    found = await _fetch(db, "code", wanted, for_update=for_update)
    if found is None:
        raise UnknownCode
    return found[0], found[1]


async def hold(db: AsyncSession, ticket_id: str) -> tuple[Ticket, Event]:
    """Return the ticket and its event, and lock both against changes until the transaction ends. Raise NotFound.

    The event is locked first, because its own changes affect its tickets. The lock on the event is a shared one.
    """
    wanted, is_postgresql = {"wanted": ticket_id}, db.get_bind().dialect.name == "postgresql"
    if is_postgresql:
        await _event_lock("id").run(db, wanted)
    query = _query("id", for_update=is_postgresql).execution_options(populate_existing=True)
    row = (await db.execute(query, wanted)).one_or_none()
    if row is None:
        raise NotFound
    return row[0], row[1]


async def hold_session(db: AsyncSession, sid: str) -> tuple[ViewingSession, Ticket, Event] | None:
    """Return a session with its ticket and event, locked as by `hold`, or None if there is no such session.

    Changes to the returned objects are not written automatically, and the session's `last_seen_at` is not loaded.
    """
    found = await _fetch(db, "sid", {"wanted": sid}, for_update=True)
    return (found[2], found[0], found[1]) if found else None


async def hold_all(db: AsyncSession, ticket_ids: Collection[str]) -> None:
    """Lock several tickets with their events and live sessions before the first is changed; see database.py."""
    condition, session = Ticket.id.in_(ticket_ids), ViewingSession
    await _lock_events_shared(db, select(Ticket.event_id).where(condition).distinct().order_by(Ticket.event_id))
    await db.execute(select(Ticket.id).where(condition).order_by(Ticket.id).with_for_update())
    live = select(session.sid).where(session.ticket_id.in_(ticket_ids), session.ended_at.is_(None))
    await db.execute(live.order_by(session.sid).with_for_update())


async def _fetch(db: AsyncSession, key: str, wanted: dict[str, str], *, for_update: bool) -> list[Any] | None:
    """Return the ticket, its event, and the session if `key` is "sid", or None."""
    is_locking = for_update and db.get_bind().dialect.name == "postgresql"
    if is_locking:
        await _event_lock(key).run(db, wanted)
    return await _direct_query(key, for_update=is_locking).one(db, wanted)


# Built once each: when the doors open, building statements would take a tenth of the time of a redemption.
@cache
def _event_lock(key: str) -> Direct:
    """Return the statement that locks the event, so that it and the ticket are then read in their current state."""
    ticket_id = select(ViewingSession.ticket_id).where(ViewingSession.sid == bindparam("wanted")).scalar_subquery()
    condition = Ticket.id == ticket_id if key == "sid" else _key_condition(key)
    return Direct(queue_for(Lock.EVENT, select(Ticket.event_id).where(condition), shared=True))


@cache
def _direct_query(key: str, *, for_update: bool) -> DirectQuery:
    return DirectQuery(_query(key, for_update=for_update))


@cache
def _query(key: str, *, for_update: bool) -> Select[*tuple[Any, ...]]:
    pair = select(Ticket, Event).join(Event, Event.id == Ticket.event_id).where(_key_condition(key))
    if key == "sid":
        all_three = pair.add_columns(ViewingSession).join(ViewingSession, ViewingSession.ticket_id == Ticket.id)
        return all_three.with_for_update(of=[Ticket, ViewingSession]) if for_update else all_three  # in this order
    return pair.with_for_update(of=Ticket) if for_update else pair


def _key_condition(key: str) -> ColumnElement[bool]:
    if key == "id":
        return Ticket.id == bindparam("wanted")
    if key == "sid":
        return ViewingSession.sid == bindparam("wanted")
    other = aliased(Ticket)
    similar: Select[Any] = (
        select(literal_column("1")).where(other.canonical == bindparam("canonical")).select_from(other).limit(2)
    )
    similar_count = select(func.count()).select_from(similar.subquery()).scalar_subquery()
    return and_(Ticket.canonical == bindparam("canonical"), or_(Ticket.code == bindparam("wanted"), similar_count == 1))


async def event_of(db: AsyncSession, ticket: Ticket) -> Event:
    """Return the ticket's event; raise NotFound."""
    event = await db.get(Event, ticket.event_id)
    if event is None:
        raise NotFound
    return event


def check_admission(ticket: Ticket, event: Event, now: datetime) -> None:
    """Raise TicketRevoked, EventUnavailable or TicketExpired, in this order."""
    if ticket.is_revoked:
        raise TicketRevoked
    if not event.is_active:
        raise EventUnavailable
    if now >= ticket.expires_at:
        raise TicketExpired(ticket.expires_at)


def status_of(ticket: Ticket, now: datetime) -> TicketStatus:
    return status(ticket.expires_at, ticket.redeemed_at, now, is_revoked=ticket.is_revoked)


def status(expires_at: datetime, redeemed_at: datetime | None, now: datetime, *, is_revoked: bool) -> TicketStatus:
    if is_revoked:
        return "revoked"
    if now >= expires_at:
        return "expired"
    return "redeemed" if redeemed_at else "unused"


async def watching(db: AsyncSession, ticket_ids: list[str], alive_since: datetime) -> dict[str, int]:
    """Return how many sessions of the given tickets are watching now, by ticket id."""
    session = ViewingSession
    query = (
        select(session.ticket_id, func.count())
        .where(is_watching(alive_since), session.ticket_id.in_(ticket_ids))
        .group_by(session.ticket_id)
    )
    return {row[0]: row[1] for row in await db.execute(query)}
