"""Reads the audit log: in pages, newest first, or all of it for an export, without keeping a transaction open."""

from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from control_plane.db.database import Database
from control_plane.tables import AuditEntry

_BATCH_SIZE: Final = 1_000
_NEWEST_FIRST: Final = (AuditEntry.at.desc(), AuditEntry.id.desc())


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Which entries to return. An `action` that ends with a dot stands for all actions that begin with it."""

    actor: str | None = None
    action: str | None = None
    subject: str | None = None
    ticket_id: str | None = None
    event_id: str | None = None
    outcome: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    def conditions(self) -> Iterable[ColumnElement[bool]]:
        if self.action:
            is_prefix = self.action.endswith(".")
            action = AuditEntry.action
            yield action.startswith(self.action, autoescape=True) if is_prefix else action == self.action
        if self.since:
            yield AuditEntry.at >= self.since
        if self.until:
            yield AuditEntry.at < self.until
        for name in ("actor", "subject", "ticket_id", "event_id", "outcome"):
            if value := getattr(self, name):
                yield getattr(AuditEntry, name) == value


async def page(db: AsyncSession, wanted: AuditFilter, offset: int, limit: int) -> tuple[list[AuditEntry], int]:
    """Return one page of entries, newest first, and how many there are in all."""
    conditions = list(wanted.conditions())
    total = await db.scalar(select(func.count()).select_from(AuditEntry).where(*conditions))
    query = select(AuditEntry).where(*conditions).order_by(*_NEWEST_FIRST).offset(offset).limit(limit)
    return list(await db.scalars(query)), total or 0


async def everything(database: Database, wanted: AuditFilter) -> AsyncIterator[Sequence[AuditEntry]]:
    """Yield all entries in batches, newest first. No transaction is open in between, however slow the reader is."""
    query = select(AuditEntry).where(*wanted.conditions()).order_by(*_NEWEST_FIRST).limit(_BATCH_SIZE)
    last: AuditEntry | None = None
    while True:
        async with database.read() as db:
            batch = (await db.scalars(query.where(*_after(last)) if last else query)).all()
        if batch:
            yield batch
        if len(batch) < _BATCH_SIZE:
            return
        last = batch[-1]


def _after(last: AuditEntry) -> tuple[ColumnElement[bool], ...]:
    return AuditEntry.at <= last.at, or_(AuditEntry.at < last.at, AuditEntry.id < last.id)
