"""Create and change events: the window and the number of devices affect tickets already sold and sessions in progress.

A shorter window must stop tokens that were minted for the longer one, whatever happens to the control plane meanwhile.
So one entry in the feed refuses every token of the event that is older than the change, but only if there is one that
would outlast the new end. The sessions stay live: a page is refused once, refreshes its token and continues without the
viewer noticing; no code has to be entered. What cannot refresh, a TV's link, has to be created again. If the new end
has already passed, the sessions are ended as well.
"""

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from authz_sidecar.contract.feed import Kind
from authz_sidecar.contract.origin_addresses import OriginServer
from control_plane.access.actors import Actor
from control_plane.db.announcements import announce
from control_plane.end_reasons import EndReason
from control_plane.errors import Conflict
from control_plane.events import doors, events
from control_plane.events.doors import Doors
from control_plane.revocations import revival
from control_plane.schemas.events import EventDraft, EventUpdate
from control_plane.sessions import ending, sessions
from control_plane.streams import origins
from control_plane.tables import Event, Ticket, ViewingSession, new_id

_STALE: Final = "Somebody has changed this event since you loaded it. Please load it again."
_SYSTEM: Final = Actor.system()
_LIVE: Final = ViewingSession.ended_at.is_(None)


async def create_event(
    db: AsyncSession, draft: EventDraft, now: datetime, allowed: Collection[OriginServer] = ()
) -> Event:
    """Add an event. Raise Conflict if the id is taken, or FieldRefused if the origin is not allowed."""
    source = origins.checked(draft.stream_url, allowed)
    values = draft.model_dump() | {"id": draft.id or new_id(), "stream_url": source}
    not_before = await revival.lift_deleted(db, Kind.EVENT, [draft.id], now) if draft.id else {}
    event = Event(**values, created_at=now, updated_at=now, tokens_not_before=not_before.get(values["id"], 0))
    db.add(event)
    announce(db, origins.TOPIC)
    try:
        await db.flush()
    except IntegrityError:
        raise Conflict("An event with this id already exists.") from None
    await doors.update_feed(db, event, now)
    return event


async def update_event(
    db: AsyncSession, event_id: str, wanted: EventUpdate, allowed: Collection[OriginServer], now: datetime
) -> Event:
    """Apply the update. Raise NotFound, Conflict for a stale version, or FieldRefused for a disallowed origin."""
    event = await events.find(db, event_id, for_update=True)
    if event.version != wanted.version:
        raise Conflict(_STALE)
    source = origins.checked(wanted.stream_url, allowed)
    expiry, devices = events.ticket_expiry(event), event.max_devices
    if wanted.hold_until_start and not event.hold_until_start and event.doors == Doors.OPEN:
        event.doors = None  # holding it again means following the schedule again
    origins.change_address(db, event, source)
    for name, value in (wanted.model_dump(exclude={"version", "stream_url"}) | {"updated_at": now}).items():
        setattr(event, name, value)
    await db.flush()
    if event.max_devices < devices:
        await _end_surplus(db, event, now)
    if events.ticket_expiry(event) != expiry:
        await _move_expiry(db, event, expiry, now)
    await doors.update_feed(db, event, now)
    return event


async def archive(db: AsyncSession, event_id: str, now: datetime) -> Event:
    """Hide an event from the lists and change nothing else. Raise NotFound."""
    return await _set_archived(db, event_id, now, archived=True)


async def unarchive(db: AsyncSession, event_id: str, now: datetime) -> Event:
    """Show an archived event in the lists again. Raise NotFound."""
    return await _set_archived(db, event_id, now, archived=False)


async def _set_archived(db: AsyncSession, event_id: str, now: datetime, *, archived: bool) -> Event:
    event = await events.find(db, event_id, for_update=True)
    if event.is_archived is not archived:
        event.is_archived, event.updated_at = archived, now
        await db.flush()
    return event


async def _move_expiry(db: AsyncSession, event: Event, old_expiry: datetime, now: datetime) -> None:
    """Move the tickets' expiry along with the event's end."""
    expiry = events.ticket_expiry(event)
    moved = update(Ticket).where(Ticket.event_id == event.id).values(expires_at=expiry)
    await db.execute(moved.execution_options(synchronize_session=False))
    if expiry < old_expiry:
        await _shorten(db, event, expiry, now)


async def _shorten(db: AsyncSession, event: Event, expiry: datetime, now: datetime) -> None:
    await ending.hold_live(db, ending.of_event(event))
    latest = int(expiry.timestamp()) + sessions.TOKEN_GRACE_SECONDS
    outlasting = _LIVE, ending.of_event(event), ViewingSession.token_expires_at > max(latest, now.timestamp())
    newest = await db.scalar(select(func.max(ViewingSession.token_issued_at)).where(*outlasting))
    if expiry <= now:
        await ending.end_of_event(db, event, EndReason.EXPIRED, now)
    if newest is not None:  # refuse what was minted before the next second
        event.tokens_not_before = max(event.tokens_not_before, newest + 1, int(now.timestamp()) + 1)


async def _end_surplus(db: AsyncSession, event: Event, now: datetime) -> None:
    """End the quietest sessions of each ticket that has more than are now allowed; the others move up."""
    await ending.hold_live(db, ending.of_event(event))
    session, by_ticket = ViewingSession, defaultdict(list)
    crowded = select(session.ticket_id).where(_LIVE, session.seat >= event.max_devices, ending.of_event(event))
    quietest_last = session.last_seen_at.desc(), session.sid
    for one in await db.scalars(select(session).where(_LIVE, session.ticket_id.in_(crowded)).order_by(*quietest_last)):
        by_ticket[one.ticket_id].append(one)
    for live in by_ticket.values():
        for surplus in live[event.max_devices :]:
            await ending.end(db, surplus, EndReason.DEVICES, now)
        await _move_up(db, live[: event.max_devices], event.max_devices)


async def _move_up(db: AsyncSession, staying: Sequence[ViewingSession], seats: int) -> None:
    """Move the remaining sessions to seats that still exist: new sessions take the first free one of these."""
    free = sorted(set(range(seats)) - {session.seat for session in staying})
    for session in staying:
        if session.seat >= seats:
            session.seat = free.pop(0)
    await db.flush()
