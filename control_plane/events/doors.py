"""Doors: from when on an event's audience gets in. By plan when it starts, or when an organiser opens or closes them.

Behind closed doors nobody gets a byte, which the gate sees to: the feed's one entry about the event says until when,
so that every edge opens at that moment by itself. That entry must always be the truth: whoever changes an event calls
`tell_edges` last, in the same transaction.
"""

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from authz_sidecar.contract.feed import Change, Kind
from control_plane.errors import Conflict
from control_plane.events import events
from control_plane.models import Event, RevocationChange, Ticket, ViewingSession
from control_plane.revocations import revocation_feed

UNTIL_OPENED: Final = datetime(9000, 1, 1, tzinfo=UTC)  # no event is later (schemas.Moment)
_TOKENS_OUTLIVE_TICKETS: Final = timedelta(seconds=60)


class Doors(StrEnum):
    """What an organiser has done to the doors, instead of what the plan says."""

    OPEN = "open"
    CLOSED = "closed"


def held_until(event: Event) -> datetime | None:
    """Tell until when everybody is kept out, be it past or not; None when nobody is."""
    if event.doors == Doors.CLOSED:
        return UNTIL_OPENED
    return event.starts_at if event.hold_until_start and event.doors is None else None


def is_held(event: Event, now: datetime) -> bool:
    until = held_until(event)
    return until is not None and now < until


async def open_doors(db: AsyncSession, event_id: str, now: datetime) -> Event:
    """Let everybody in from now on, also before the start. Raise NotFound, or Conflict for a deactivated event."""
    return await _set(db, event_id, Doors.OPEN, now)


async def close_doors(db: AsyncSession, event_id: str, now: datetime) -> Event:
    """Keep everybody out, also who watches, until an organiser opens. Raise NotFound, or Conflict likewise."""
    return await _set(db, event_id, Doors.CLOSED, now)


async def _set(db: AsyncSession, event_id: str, doors: Doors, now: datetime) -> Event:
    event = await events.find(db, event_id, for_update=True)
    if not event.is_active:
        raise Conflict("This event is deactivated: nobody can watch it, even with open doors.")
    if event.doors != doors:
        event.doors, event.updated_at = doors, now
        await tell_edges(db, event, now)
    return event


async def tell_edges(db: AsyncSession, event: Event, now: datetime) -> None:
    """Write the feed's entry about the event, unless it says so already."""
    await db.flush()
    about_it = RevocationChange.kind == Kind.EVENT.value, RevocationChange.subject == event.id
    known = await db.scalar(select(RevocationChange).where(*about_it))
    wanted = await _entry(db, event, known, now)
    if known is None and not wanted.revoked and wanted.not_before is None:
        return
    if known is None or not _says(known, wanted):
        await revocation_feed.append(db, wanted)


async def _entry(db: AsyncSession, event: Event, known: RevocationChange | None, now: datetime) -> Change:
    """Say what the feed has to: deactivated, else held until then, else lifted for tokens that are new enough.

    It is kept for as long as a token lives that it concerns: one of a session of now, one that may still be issued
    while the doors are closed, or one that an entry before was kept for.
    """
    tokens = select(func.max(ViewingSession.token_expires_at)).join(Ticket, Ticket.id == ViewingSession.ticket_id)
    newest = await db.scalar(tokens.where(Ticket.event_id == event.id))
    kept = [newest or 0, int(now.timestamp()) + 1, known.expires_at.timestamp() if known else 0]
    if not event.is_active:
        return Change(Kind.EVENT, event.id, True, None, now.timestamp(), max(kept))
    until = held_until(event)
    is_closed = until is not None and now < until
    if is_closed:
        kept.append((events.ticket_expiry(event) + _TOKENS_OUTLIVE_TICKETS).timestamp())
    since = event.tokens_not_before or None
    opens = until.timestamp() if until and is_closed else None
    return Change(Kind.EVENT, event.id, is_closed, since, now.timestamp(), max(kept), opens)


def _says(known: RevocationChange, wanted: Change) -> bool:
    until = known.until.timestamp() if known.until else None
    is_same = (known.revoked, known.not_before, until) == (wanted.revoked, wanted.not_before, wanted.until)
    return is_same and known.expires_at.timestamp() >= wanted.expires_at
