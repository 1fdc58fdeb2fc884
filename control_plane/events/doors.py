"""Doors: when viewers are admitted to an event. By schedule when it starts, or when an organiser opens or closes them.

While the doors are closed the gate serves no bytes to anyone: the feed's only entry about the event says until when, so
every edge opens at that moment automatically. That entry must always be correct: code that changes an event calls
`update_feed` last, in the same transaction.
"""

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from authz_sidecar.contract.feed import Change, Kind
from control_plane.errors import Conflict
from control_plane.events import events
from control_plane.revocations import revocation_feed
from control_plane.tables import Event, RevocationChange, Ticket, ViewingSession

UNTIL_OPENED: Final = datetime(9000, 1, 1, tzinfo=UTC)  # no event is later (schemas.Moment)
_TOKENS_OUTLIVE_TICKETS: Final = timedelta(seconds=60)


class Doors(StrEnum):
    """How an organiser has set the doors, overriding the schedule."""

    OPEN = "open"
    CLOSED = "closed"


def held_until(event: Event) -> datetime | None:
    """Return until when viewers are kept out, which may be in the past, or None if they are not."""
    if event.doors == Doors.CLOSED:
        return UNTIL_OPENED
    return event.starts_at if event.hold_until_start and event.doors is None else None


def is_held(event: Event, now: datetime) -> bool:
    until = held_until(event)
    return until is not None and now < until


async def open_doors(db: AsyncSession, event_id: str, now: datetime) -> Event:
    """Admit viewers from now on, even before the start. Raise NotFound, or Conflict if the event is deactivated."""
    return await _set(db, event_id, Doors.OPEN, now)


async def close_doors(db: AsyncSession, event_id: str, now: datetime) -> Event:
    """Keep all viewers out, including those watching, until an organiser opens the doors.

    Raise NotFound, or Conflict if the event is deactivated.
    """
    return await _set(db, event_id, Doors.CLOSED, now)


async def _set(db: AsyncSession, event_id: str, doors: Doors, now: datetime) -> Event:
    event = await events.find(db, event_id, for_update=True)
    if not event.is_active:
        raise Conflict("This event is deactivated: nobody can watch it, even with open doors.")
    if event.doors != doors:
        event.doors, event.updated_at = doors, now
        await update_feed(db, event, now)
    return event


async def update_feed(db: AsyncSession, event: Event, now: datetime) -> None:
    """Append the event's entry to the feed, unless the current entry already says the same."""
    await db.flush()
    conditions = RevocationChange.kind == Kind.EVENT.value, RevocationChange.subject == event.id
    current = await db.scalar(select(RevocationChange).where(*conditions))
    wanted = await _entry(db, event, current, now)
    if current is None and not wanted.revoked and wanted.not_before is None:
        return
    if current is None or not _covers(current, wanted):
        await revocation_feed.append(db, wanted)


async def _entry(db: AsyncSession, event: Event, current: RevocationChange | None, now: datetime) -> Change:
    """Return the required entry: deactivated, else held until the doors open, else lifted for tokens new enough.

    It is kept for as long as any token that it concerns can be valid: a token of a current session, one that may still
    be issued while the doors are closed, or one for which the previous entry was kept.
    """
    query = select(func.max(ViewingSession.token_expires_at)).join(Ticket, Ticket.id == ViewingSession.ticket_id)
    newest = await db.scalar(query.where(Ticket.event_id == event.id))
    expiries = [newest or 0, int(now.timestamp()) + 1, current.expires_at.timestamp() if current else 0]
    if not event.is_active:
        return Change(Kind.EVENT, event.id, True, None, now.timestamp(), max(expiries))
    until = held_until(event)
    is_closed = until is not None and now < until
    if is_closed:
        expiries.append((events.ticket_expiry(event) + _TOKENS_OUTLIVE_TICKETS).timestamp())
    not_before = event.tokens_not_before or None
    opens_at = until.timestamp() if until and is_closed else None
    return Change(Kind.EVENT, event.id, is_closed, not_before, now.timestamp(), max(expiries), opens_at)


def _covers(current: RevocationChange, wanted: Change) -> bool:
    until = current.until.timestamp() if current.until else None
    is_same = (current.revoked, current.not_before, until) == (wanted.revoked, wanted.not_before, wanted.until)
    return is_same and current.expires_at.timestamp() >= wanted.expires_at
