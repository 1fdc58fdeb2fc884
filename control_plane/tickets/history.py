"""The history of one ticket: what was done with it and to it, newest first, also after it was deleted.

Sessions come from their own table, everything else from the audit log, as far back as its retention.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, String, and_, cast, func, literal, not_, select, union_all
from sqlalchemy.ext.asyncio import AsyncSession

from control_plane.access import audit
from control_plane.errors import NotFound
from control_plane.tables import AuditEntry, Event, Ticket, ViewingSession


@dataclass(frozen=True, slots=True)
class Subject:
    """What a history is about. If the ticket was deleted, it is None and `last` is the newest entry about it."""

    ticket: Ticket | None
    event: Event | None
    last: AuditEntry | None = None


@dataclass(frozen=True, slots=True)
class HistoryItem:
    """One item of a history and its time: an entry of the audit log, or a session."""

    at: datetime
    entry: AuditEntry | None = None
    session: ViewingSession | None = None

    @property
    def detail(self) -> dict[str, Any]:
        detail: dict[str, Any] = json.loads(self.entry.detail) if self.entry and self.entry.detail else {}
        return detail


async def subject(db: AsyncSession, ticket_id: str) -> Subject:
    """Return what the history of this id is about.

    Raise NotFound if no ticket has this id, and none had it as far back as the audit log goes.
    """
    ticket = await db.get(Ticket, ticket_id)
    if ticket:
        return Subject(ticket, await db.get(Event, ticket.event_id))
    last = (
        select(AuditEntry).where(AuditEntry.ticket_id == ticket_id).order_by(AuditEntry.at.desc(), AuditEntry.id.desc())
    )
    if (entry := await db.scalar(last.limit(1))) is None:
        raise NotFound
    return Subject(None, await db.get(Event, entry.event_id) if entry.event_id else None, entry)


async def page(db: AsyncSession, ticket_id: str, offset: int, limit: int) -> tuple[list[HistoryItem], int]:
    """Return one page, newest first, and the total count."""
    session, entry = ViewingSession, AuditEntry
    sessions = select(session.started_at.label("at"), literal("session").label("kind"), session.sid.label("key"))
    entries = select(entry.at.label("at"), literal("entry").label("kind"), cast(entry.id, String).label("key"))
    both = union_all(sessions.where(session.ticket_id == ticket_id), entries.where(*_conditions(ticket_id))).subquery()
    total = await db.scalar(select(func.count()).select_from(both))
    newest_first = both.c.at.desc(), both.c.kind, both.c.key.desc()
    rows = (await db.execute(select(both).order_by(*newest_first).offset(offset).limit(limit))).all()
    return await _load(db, rows), total or 0


def _conditions(ticket_id: str) -> tuple[ColumnElement[bool], ...]:
    """Leave out what the listed sessions show themselves: successful refreshes, and the end of a listed session."""
    sids = select(ViewingSession.sid).where(ViewingSession.ticket_id == ticket_id)
    refreshed = and_(AuditEntry.action == audit.REFRESH, AuditEntry.outcome == audit.DONE)
    ended = and_(AuditEntry.action == audit.END, AuditEntry.subject.in_(sids))
    return AuditEntry.ticket_id == ticket_id, not_(refreshed), not_(func.coalesce(ended, False))


async def _load(db: AsyncSession, rows: Sequence[Any]) -> list[HistoryItem]:
    sids = [row.key for row in rows if row.kind == "session"]
    numbers = [int(row.key) for row in rows if row.kind == "entry"]
    sessions = {one.sid: one for one in await db.scalars(select(ViewingSession).where(ViewingSession.sid.in_(sids)))}
    entries = {str(one.id): one for one in await db.scalars(select(AuditEntry).where(AuditEntry.id.in_(numbers)))}
    return [HistoryItem(row.at, entries.get(row.key), sessions.get(row.key)) for row in rows]
