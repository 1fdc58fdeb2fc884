"""Tickets: the right to watch one event until it expires."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

from sqlalchemy import ColumnElement, and_, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from control_plane.codes import new_code
from control_plane.events import ticket_expiry
from control_plane.models import Event, Ticket, ViewingSession
from control_plane.refusals import EventUnavailable, NotFound, TicketExpired, TicketRevoked, UnknownCode
from control_plane.schemas import utc_now

Status = Literal["revoked", "expired", "redeemed", "unused"]
STATUSES: Final[tuple[Status, ...]] = ("revoked", "expired", "redeemed", "unused")


@dataclass(frozen=True, slots=True)
class TicketFilter:
    """What a list of tickets is narrowed to; `search` is part of a code or label, `created_at` names one batch."""

    event_id: str | None = None
    status: Status | None = None
    search: str | None = None
    created_at: datetime | None = None


async def generate(db: AsyncSession, event: Event, count: int, label: str | None = None) -> list[Ticket]:
    """Add `count` tickets with fresh codes, all of them or none (the transaction is the caller's)."""
    now, expires_at = utc_now(), ticket_expiry(event)
    tickets = [
        Ticket(code=new_code(), event_id=event.id, label=label or None, expires_at=expires_at, created_at=now)
        for _ in range(count)
    ]
    db.add_all(tickets)
    await db.flush()
    return tickets


async def find(db: AsyncSession, ticket_id: str, *, for_update: bool = False) -> Ticket:
    """Return the ticket; raise NotFound."""
    ticket = await db.get(Ticket, ticket_id, with_for_update=for_update)
    if ticket is None:
        raise NotFound
    return ticket


async def find_by_code(db: AsyncSession, code: str, *, for_update: bool = False) -> tuple[Ticket, Event]:
    """Return the code's ticket and its event; raise UnknownCode.

    `for_update` also holds the event against a deactivation until the transaction ends.
    """
    query = select(Ticket).where(Ticket.code == code)
    ticket = await db.scalar(query.with_for_update() if for_update else query)
    if ticket is None:
        raise UnknownCode
    return ticket, await event_of(db, ticket, for_update=for_update)


async def event_of(db: AsyncSession, ticket: Ticket, *, for_update: bool = False) -> Event:
    """Return the ticket's event; raise NotFound."""
    event = await db.get(Event, ticket.event_id, with_for_update={"read": True} if for_update else None)
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
    if ticket.is_revoked:
        return "revoked"
    if now >= ticket.expires_at:
        return "expired"
    return "redeemed" if ticket.redeemed_at else "unused"


async def page(
    db: AsyncSession, wanted: TicketFilter, now: datetime, offset: int, limit: int
) -> tuple[list[Ticket], int]:
    """Return one page of tickets, newest first, and how many there are in all."""
    conditions = list(_conditions(wanted, now))
    total = await db.scalar(select(func.count()).select_from(Ticket).where(*conditions))
    order = (Ticket.created_at.desc(), Ticket.id)
    query = select(Ticket).where(*conditions).order_by(*order).offset(offset).limit(limit)
    return list(await db.scalars(query)), total or 0


async def live_sessions(db: AsyncSession, ticket_ids: list[str]) -> dict[str, int]:
    """Count the live sessions of the given tickets."""
    session = ViewingSession
    query = (
        select(session.ticket_id, func.count())
        .where(session.ended_at.is_(None), session.ticket_id.in_(ticket_ids))
        .group_by(session.ticket_id)
    )
    return {row[0]: row[1] for row in await db.execute(query)}


def _conditions(wanted: TicketFilter, now: datetime) -> Iterable[ColumnElement[Any]]:
    if wanted.event_id:
        yield Ticket.event_id == wanted.event_id
    if wanted.status:
        yield _has_status(wanted.status, now)
    if wanted.created_at:
        yield Ticket.created_at == wanted.created_at
    if wanted.search:
        yield Ticket.code.icontains(wanted.search, autoescape=True) | Ticket.label.icontains(
            wanted.search, autoescape=True
        )


def _has_status(status: Status, now: datetime) -> ColumnElement[bool]:
    valid = and_(Ticket.is_revoked.is_(False), Ticket.expires_at > now)
    return {
        "revoked": Ticket.is_revoked.is_(True),
        "expired": and_(Ticket.is_revoked.is_(False), Ticket.expires_at <= now),
        "redeemed": and_(valid, Ticket.redeemed_at.is_not(None)),
        "unused": and_(valid, Ticket.redeemed_at.is_(None)),
    }[status]
