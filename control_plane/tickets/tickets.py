"""Tickets: the right to watch one event until it expires."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any, Final, Literal

from sqlalchemy import ColumnElement, Select, and_, bindparam, func, insert, literal, literal_column, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from control_plane.clock import utc_now
from control_plane.codes import canonical, new_code
from control_plane.db.database import Lock, queue_for
from control_plane.db.direct import Direct, DirectLook
from control_plane.errors import EventUnavailable, NotFound, TicketExpired, TicketRevoked, UnknownCode
from control_plane.events.events import ticket_expiry
from control_plane.models import Event, Ticket, ViewingSession, is_watching

Status = Literal["revoked", "expired", "redeemed", "unused"]
STATUSES: Final[tuple[Status, ...]] = ("revoked", "expired", "redeemed", "unused")


@dataclass(frozen=True, slots=True)
class TicketFilter:
    """What a list of tickets is narrowed to; `search` is part of a code or label, `created_at` names one batch."""

    event_id: str | None = None
    status: Status | None = None
    search: str | None = None
    created_at: datetime | None = None


async def generate(db: AsyncSession, event: Event, count: int, label: str | None = None) -> Sequence[Ticket]:
    """Add `count` tickets with fresh codes, all of them or none (the transaction is the caller's)."""
    event = await hold_event(db, event.id)
    now, expires_at = utc_now(), ticket_expiry(event)
    shared = {"event_id": event.id, "label": label or None, "expires_at": expires_at, "created_at": now}
    rows = [{"code": new_code(), **shared} for _ in range(count)]
    return (await db.scalars(insert(Ticket).returning(Ticket), rows)).all()


async def hold_event(db: AsyncSession, event_id: str) -> Event:
    """Keep the event and its end as they are while tickets are made for it. Raise NotFound."""
    await _share_events(db, select(literal(event_id).label("id")))
    event = await db.get(Event, event_id, populate_existing=True)
    if event is None:
        raise NotFound
    return event


async def _share_events(db: AsyncSession, ids: Select[str]) -> None:
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

    A code that is nobody's as it was typed is the one ticket's that differs from it in case and look-alikes only. It
    is one question in either case, so the time it takes does not tell which.
    `for_update` holds both until the transaction ends, as `hold` does. What is changed of them is not written by
    itself.
    """
    wanted = {"wanted": code, "canonical": canonical(code)}
    found = await _look(db, "code", wanted, for_update=for_update)
    if found is None:
        raise UnknownCode
    return found[0], found[1]


async def hold(db: AsyncSession, ticket_id: str) -> tuple[Ticket, Event]:
    """Return the ticket and its event, and keep changes of both out until the transaction ends. Raise NotFound.

    The event comes first, as its own changes reach its tickets; others may hold it in this way at the same time.
    """
    wanted, is_postgresql = {"wanted": ticket_id}, db.get_bind().dialect.name == "postgresql"
    if is_postgresql:
        await _event_shared("id").run(db, wanted)
    query = _query("id", for_update=is_postgresql).execution_options(populate_existing=True)
    row = (await db.execute(query, wanted)).one_or_none()
    if row is None:
        raise NotFound
    return row[0], row[1]


async def hold_session(db: AsyncSession, sid: str) -> tuple[ViewingSession, Ticket, Event] | None:
    """Return a session with its ticket and event, and hold them as `hold` does; None where there is no such session.

    What is changed of them is not written by itself, and when the session was last seen is left out.
    """
    found = await _look(db, "sid", {"wanted": sid}, for_update=True)
    return (found[2], found[0], found[1]) if found else None


async def hold_all(db: AsyncSession, ticket_ids: Collection[str]) -> None:
    """Hold several tickets with their events and live sessions: before the first is changed, see database.py."""
    meant, session = Ticket.id.in_(ticket_ids), ViewingSession
    await _share_events(db, select(Ticket.event_id).where(meant).distinct().order_by(Ticket.event_id))
    await db.execute(select(Ticket.id).where(meant).order_by(Ticket.id).with_for_update())
    live = select(session.sid).where(session.ticket_id.in_(ticket_ids), session.ended_at.is_(None))
    await db.execute(live.order_by(session.sid).with_for_update())


async def _look(db: AsyncSession, key: str, wanted: dict[str, str], *, for_update: bool) -> list[Any] | None:
    """Give the ticket, its event, and the session where one is wanted."""
    is_locking = for_update and db.get_bind().dialect.name == "postgresql"
    if is_locking:
        await _event_shared(key).run(db, wanted)
    return await _direct(key, for_update=is_locking).one(db, wanted)


# Made once each: a redemption at open doors spends a tenth of its time on making statements.
@cache
def _event_shared(key: str) -> Direct:
    """Hold the event, so that both can then be read as they are once the ticket is held, too."""
    of_session = select(ViewingSession.ticket_id).where(ViewingSession.sid == bindparam("wanted")).scalar_subquery()
    is_meant = Ticket.id == of_session if key == "sid" else _is_meant(key)
    return Direct(queue_for(Lock.EVENT, select(Ticket.event_id).where(is_meant), shared=True))


@cache
def _direct(key: str, *, for_update: bool) -> DirectLook:
    return DirectLook(_query(key, for_update=for_update))


@cache
def _query(key: str, *, for_update: bool) -> Select[*tuple[Any, ...]]:
    pair = select(Ticket, Event).join(Event, Event.id == Ticket.event_id).where(_is_meant(key))
    if key == "sid":
        all_three = pair.add_columns(ViewingSession).join(ViewingSession, ViewingSession.ticket_id == Ticket.id)
        return all_three.with_for_update(of=[Ticket, ViewingSession]) if for_update else all_three  # in this order
    return pair.with_for_update(of=Ticket) if for_update else pair


def _is_meant(key: str) -> ColumnElement[bool]:
    if key == "id":
        return Ticket.id == bindparam("wanted")
    if key == "sid":
        return ViewingSession.sid == bindparam("wanted")
    other = aliased(Ticket)
    alike: Select[Any] = (
        select(literal_column("1")).where(other.canonical == bindparam("canonical")).select_from(other).limit(2)
    )
    number = select(func.count()).select_from(alike.subquery()).scalar_subquery()
    return and_(Ticket.canonical == bindparam("canonical"), or_(Ticket.code == bindparam("wanted"), number == 1))


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


def status_of(ticket: Ticket, now: datetime) -> Status:
    return status(ticket.expires_at, ticket.redeemed_at, now, is_revoked=ticket.is_revoked)


def status(expires_at: datetime, redeemed_at: datetime | None, now: datetime, *, is_revoked: bool) -> Status:
    if is_revoked:
        return "revoked"
    if now >= expires_at:
        return "expired"
    return "redeemed" if redeemed_at else "unused"


async def watching(db: AsyncSession, ticket_ids: list[str], alive_since: datetime) -> dict[str, int]:
    """Count the sessions of the given tickets that watch now."""
    session = ViewingSession
    query = (
        select(session.ticket_id, func.count())
        .where(is_watching(alive_since), session.ticket_id.in_(ticket_ids))
        .group_by(session.ticket_id)
    )
    return {row[0]: row[1] for row in await db.execute(query)}
