"""Refusals that may come in floods: queued in memory, and written to the audit log in batches by one writer.

These are refusals of viewers, of too frequent sign-ins, and of requests beyond a role or scope. A flood must not hold
the database's write lock or fill the log: repeated refusals of one address or actor are written as one entry a second,
with a count. Codes are kept in memory only; the entry names the ticket.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any, Final, NamedTuple

import anyio
import structlog
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from control_plane.access import audit
from control_plane.access.actors import Actor
from control_plane.access.audit import About
from control_plane.codes import canonical
from control_plane.db.database import Database
from control_plane.tables import Ticket, ViewingSession
from control_plane.tasks import every

_WRITE_EVERY_SECONDS: Final = 1.0
_MOST_WAITING: Final = 5_000
_BATCH_SIZE: Final = 250  # entries in a transaction: other writers wait for it
log = structlog.get_logger()


class RefusedAction(NamedTuple):
    """A refused action, the client's address, and what it was tried with: a code, a session, a browser's resume hash.

    `actor` is None for viewers. `route` is the template of the route that an actor was refused, without any ids.
    """

    action: str
    outcome: str
    address: str
    code: str | None = None
    sid: str | None = None
    resume_hash: str | None = None
    actor: Actor | None = None
    route: str | None = None


@dataclass(slots=True)
class _RepeatCount:
    first_at: datetime
    count: int = 1


class _TicketRef(NamedTuple):
    ticket_id: str
    event_id: str


class AuditQueue:
    """`dropped` counts the refusals that did not fit. Entries are written only while `run` is running."""

    def __init__(self, database: Database, most: int = _MOST_WAITING) -> None:
        self._database = database
        self._most = most
        self._waiting: dict[RefusedAction, _RepeatCount] = {}
        self._write_lock = anyio.Lock()
        self._is_full = self._is_failing = False
        self.dropped = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def note(self, refused: RefusedAction, now: datetime) -> None:
        if repeats := self._waiting.get(refused):
            repeats.count += 1
        elif len(self._waiting) < self._most:
            self._waiting[refused] = _RepeatCount(now)
        else:
            self._drop()

    async def run(self, stop: anyio.Event) -> None:
        """Write every second until `stop`, and once more then. Never cancel it: a transaction must be ended."""
        async for _ in every(_WRITE_EVERY_SECONDS, stop):
            await self.write_behind()

    async def write_behind(self) -> None:
        """Write what was noted so far, after any write in progress. Keep what could not be written."""
        async with self._write_lock:
            await self._write_all()

    async def _write_all(self) -> None:
        for _ in range(-(-len(self._waiting) // _BATCH_SIZE)):
            batch = dict(islice(self._waiting.items(), _BATCH_SIZE))
            for refused in batch:
                del self._waiting[refused]
            try:
                await self._write(batch)
            except SQLAlchemyError as error:
                self._put_back(batch)
                self._note_failure(error)
                return
        self._is_full = self._is_failing = False

    async def _write(self, batch: dict[RefusedAction, _RepeatCount]) -> None:
        async with self._database.read() as db:
            by_code = await _tickets_by_code(db, {refused.code for refused in batch if refused.code})
            by_sid = await _tickets_by_sid(db, {refused.sid for refused in batch if refused.sid})
            by_hash = await _tickets_by_browser(db, {refused.resume_hash for refused in batch if refused.resume_hash})
        async with self._database.write() as db:
            for refused, repeats in batch.items():
                ticket = by_code.get(refused.code or "") or by_sid.get(refused.sid or "")
                ticket = ticket or by_hash.get(refused.resume_hash or "")
                about = _about(refused, ticket, repeats.count)
                actor = refused.actor or Actor.viewer(refused.address)
                audit.record(db, actor, refused.action, repeats.first_at, about, refused.outcome)

    def _put_back(self, batch: dict[RefusedAction, _RepeatCount]) -> None:
        for refused, repeats in batch.items():
            if newer := self._waiting.get(refused):
                newer.first_at, newer.count = repeats.first_at, newer.count + repeats.count
            else:
                self._waiting[refused] = repeats

    def _drop(self) -> None:
        self.dropped += 1
        if not self._is_full:
            log.error("audit_queue_full", waiting=len(self._waiting))
        self._is_full = True

    def _note_failure(self, error: SQLAlchemyError) -> None:
        if not self._is_failing:
            log.error("refusals_not_written", error=type(error).__name__)
        self._is_failing = True


def _about(refused: RefusedAction, ticket: _TicketRef | None, count: int) -> About:
    subject = refused.sid or (audit.code_digest(refused.code) if refused.code and not ticket else None)
    detail: dict[str, str | int] = {"times": count} if count > 1 else {}
    if refused.route:
        detail["route"] = refused.route
    return About(subject, ticket.event_id if ticket else None, ticket.ticket_id if ticket else None, detail)


async def _tickets_by_code(db: AsyncSession, codes: Collection[str]) -> dict[str, _TicketRef]:
    """Return the tickets of codes by the rule of tickets.find_by_code: the exact code, else the only similar one."""
    is_similar = Ticket.canonical.in_(_sorted(set(map(canonical, codes))))
    rows = (await db.execute(select(Ticket.code, Ticket.canonical, Ticket.id, Ticket.event_id).where(is_similar))).all()
    counts = Counter(row.canonical for row in rows)
    by_name = {row.canonical: row for row in rows if counts[row.canonical] == 1} | {row.code: row for row in rows}
    found = {code: by_name.get(code) or by_name.get(canonical(code)) for code in codes}
    return {code: _TicketRef(row.id, row.event_id) for code, row in found.items() if row}


async def _tickets_by_sid(db: AsyncSession, sids: Iterable[str]) -> dict[str, _TicketRef]:
    return await _tickets_by(db, ViewingSession.sid, sids)


async def _tickets_by_browser(db: AsyncSession, hashes: Iterable[str]) -> dict[str, _TicketRef]:
    return await _tickets_by(db, ViewingSession.resume_hash, hashes)


async def _tickets_by(db: AsyncSession, column: Any, values: Iterable[str]) -> dict[str, _TicketRef]:
    query = select(column, Ticket.id, Ticket.event_id).join(Ticket, Ticket.id == ViewingSession.ticket_id)
    rows = await db.execute(query.where(column.in_(_sorted(values))))
    return {value: _TicketRef(ticket_id, event_id) for value, ticket_id, event_id in rows}


def _sorted(values: Iterable[str]) -> Sequence[str]:
    return sorted(values)
