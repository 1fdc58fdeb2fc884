"""Who is watching now, for organisers, and ending a viewer's session."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from control_plane.digests import digest
from control_plane.end_reasons import EndReason
from control_plane.errors import NotFound
from control_plane.sessions import ending
from control_plane.sessions.resuming import Tab
from control_plane.tables import Event, LastSeen, Ticket, ViewingSession, is_watching


@dataclass(frozen=True, slots=True)
class Watcher:
    """A session that is watching now, with its ticket and event."""

    session: ViewingSession
    ticket: Ticket
    event: Event


async def page(
    db: AsyncSession, event_id: str | None, alive_since: datetime, offset: int, limit: int
) -> tuple[list[Watcher], int]:
    """Return one page of who is watching now, the most recently seen first, and the total count."""
    conditions: list[ColumnElement[bool]] = [is_watching(alive_since)]
    if event_id:
        conditions.append(Ticket.event_id == event_id)
    joined = (
        select(ViewingSession, Ticket, Event)
        .join(Ticket, Ticket.id == ViewingSession.ticket_id)
        .join(Event, Event.id == Ticket.event_id)
        .where(*conditions)
    )
    total = await db.scalar(joined.with_only_columns(func.count()))
    order = (LastSeen.at.desc(), ViewingSession.sid)
    seen = joined.join(LastSeen, LastSeen.sid == ViewingSession.sid)
    rows = await db.execute(seen.order_by(*order).offset(offset).limit(limit))
    return [Watcher(*row) for row in rows], total or 0


async def event_id_of(db: AsyncSession, session: ViewingSession) -> str | None:
    return await db.scalar(select(Ticket.event_id).where(Ticket.id == session.ticket_id))


async def event_id_of_tab(db: AsyncSession, resume_secret: str | None, tab: Tab) -> str | None:
    """Return the id of the event that a tab watched or, if it does not say, that its browser watched last."""
    if tab.claims:
        return tab.claims.eid
    query = select(Ticket.event_id).join(ViewingSession, ViewingSession.ticket_id == Ticket.id)
    own = query.where(ViewingSession.resume_hash == digest(resume_secret or ""))
    of_tab = own.where(ViewingSession.sid == tab.sid) if tab.sid else own.order_by(ViewingSession.started_at.desc())
    return await db.scalar(of_tab.limit(1))


async def kick(db: AsyncSession, sid: str, now: datetime) -> ViewingSession:
    """End a session at an organiser's request. Do nothing if it is over. Raise NotFound."""
    session = await db.get(ViewingSession, sid, with_for_update=True)
    if session is None:
        raise NotFound
    if session.ended_at is None:
        await ending.end(db, session, EndReason.KICKED, now)
    return session
