"""Ticket counts by event and status, without reading any ticket.

The database maintains each event's total (migration 0007); the revoked and the redeemed ones have an index each. All
tickets of an event expire at the same moment, so those of `ended` events are the expired ones.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from sqlalchemy import ColumnElement, column, func, select, table
from sqlalchemy.ext.asyncio import AsyncSession

from control_plane.tables import Ticket

_TALLY: Final = table("ticket_tally", column("event_id"), column("total"))
_REVOKED: Final = (Ticket.is_revoked.is_(True),)
_REDEEMED: Final = (Ticket.redeemed_at.is_not(None), Ticket.is_revoked.is_(False))
_REDEEMED_AND_REVOKED: Final = (Ticket.redeemed_at.is_not(None), Ticket.is_revoked.is_(True))


@dataclass(frozen=True, slots=True)
class Counts:
    """An event's tickets by status; `ever_redeemed` includes those that have since been revoked or have expired."""

    unused: int = 0
    redeemed: int = 0
    expired: int = 0
    revoked: int = 0
    ever_redeemed: int = 0

    @property
    def total(self) -> int:
        return self.unused + self.redeemed + self.expired + self.revoked


async def total(db: AsyncSession, event_id: str | None = None) -> int:
    return await _count(db, [event_id] if event_id else None)


async def of_status(db: AsyncSession, status: str, ended: Collection[str], event_id: str | None = None) -> int:
    """Count the tickets with one status, of one event or of all."""
    scope = [event_id] if event_id else None
    ended_in_scope = [one for one in ended if event_id in {one, None}]
    if status == "revoked":
        return await _count(db, scope, *_REVOKED)
    if status == "expired":
        return await _count(db, ended_in_scope) - await _count(db, ended_in_scope, *_REVOKED)
    redeemed = await _count(db, scope, *_REDEEMED) - await _count(db, ended_in_scope, *_REDEEMED)
    if status == "redeemed":
        return redeemed
    revoked = await _count(db, scope, *_REVOKED) - await _count(db, ended_in_scope, *_REVOKED)
    return await _count(db, scope) - await _count(db, ended_in_scope) - revoked - redeemed


async def by_status(db: AsyncSession, ended: Collection[str], event_ids: Collection[str]) -> dict[str, Counts]:
    """Return the ticket counts of these events by event id; an event without tickets has no entry."""
    tally = select(_TALLY.c.event_id, _TALLY.c.total).where(_TALLY.c.event_id.in_(event_ids))
    totals = dict((await db.execute(tally)).all())
    revoked = await _by_event(db, event_ids, *_REVOKED)
    redeemed = await _by_event(db, event_ids, *_REDEEMED)
    both = await _by_event(db, event_ids, *_REDEEMED_AND_REVOKED)
    return {
        event_id: _counts(
            number,
            revoked.get(event_id, 0),
            redeemed.get(event_id, 0),
            both.get(event_id, 0),
            has_ended=event_id in ended,
        )
        for event_id, number in totals.items()
    }


def _counts(number: int, revoked: int, redeemed: int, redeemed_and_revoked: int, *, has_ended: bool) -> Counts:
    if has_ended:
        return Counts(expired=number - revoked, revoked=revoked, ever_redeemed=redeemed + redeemed_and_revoked)
    return Counts(number - revoked - redeemed, redeemed, 0, revoked, redeemed + redeemed_and_revoked)


async def _count(db: AsyncSession, event_ids: Collection[str] | None, *conditions: ColumnElement[bool]) -> int:
    """Count the tickets of some events or of all; each of the conditions must have an index."""
    query = select(func.count()).select_from(Ticket).where(*conditions)
    event_id: ColumnElement[str] = Ticket.event_id.expression
    if not conditions:
        query, event_id = select(func.sum(_TALLY.c.total)), _TALLY.c.event_id
    return int(await db.scalar(query if event_ids is None else query.where(event_id.in_(event_ids))) or 0)


async def _by_event(db: AsyncSession, event_ids: Collection[str], *conditions: ColumnElement[bool]) -> dict[str, int]:
    query = select(Ticket.event_id, func.count()).where(Ticket.event_id.in_(event_ids), *conditions)
    rows = await db.execute(query.group_by(Ticket.event_id))
    return dict(rows.all())
