"""Refusals that may come in floods, on their way to the audit log: written behind, in batches, by one writer.

Those of viewers, of sign-ins that come too often, and of requests beyond a role or scope. A flood must not hold the
database's write lock, nor fill the log: the same refusal of the same address or actor is one entry a second, with how
often it happened. Codes wait here in memory only; written is whose they are.
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
from control_plane.models import Ticket, ViewingSession
from control_plane.tasks import every

_WRITE_EVERY_SECONDS: Final = 1.0
_MOST_WAITING: Final = 5_000
_AT_ONCE: Final = 250  # entries a transaction: other writers wait for it
log = structlog.get_logger()


class RefusedAction(NamedTuple):
    """What somebody at an address was refused, and what they tried it with: a code, a session, a browser's resume hash.

    `actor` is who it was unless a viewer; of them it is the route that was refused, never the ids that they tried.
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


class _Whose(NamedTuple):
    ticket_id: str
    event_id: str


class AuditQueue:
    """`dropped` counts what there was no room for. `run` must be running."""

    def __init__(self, database: Database, most: int = _MOST_WAITING) -> None:
        self._database = database
        self._most = most
        self._waiting: dict[RefusedAction, _RepeatCount] = {}
        self._one_writer = anyio.Lock()
        self._is_full = self._is_failing = False
        self.dropped = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def note(self, refused: RefusedAction, now: datetime) -> None:
        if times := self._waiting.get(refused):
            times.count += 1
        elif len(self._waiting) < self._most:
            self._waiting[refused] = _RepeatCount(now)
        else:
            self._drop()

    async def run(self, stop: anyio.Event) -> None:
        """Write behind until `stop`, and once more then. Never cancel it: a transaction wants to be ended."""
        async for _ in every(_WRITE_EVERY_SECONDS, stop):
            await self.write_behind()

    async def write_behind(self) -> None:
        """Write what was noted until now, waiting for whoever is at it already. What could not be written is kept."""
        async with self._one_writer:
            await self._write_all()

    async def _write_all(self) -> None:
        for _ in range(-(-len(self._waiting) // _AT_ONCE)):
            some = dict(islice(self._waiting.items(), _AT_ONCE))
            for refused in some:
                del self._waiting[refused]
            try:
                await self._write(some)
            except SQLAlchemyError as error:
                self._put_back(some)
                self._note_failure(error)
                return
        self._is_full = self._is_failing = False

    async def _write(self, some: dict[RefusedAction, _RepeatCount]) -> None:
        async with self._database.read() as db:
            by_code = await _of_codes(db, {refused.code for refused in some if refused.code})
            by_sid = await _of_sessions(db, {refused.sid for refused in some if refused.sid})
            by_hash = await _of_browsers(db, {refused.resume_hash for refused in some if refused.resume_hash})
        async with self._database.write() as db:
            for refused, times in some.items():
                whose = by_code.get(refused.code or "") or by_sid.get(refused.sid or "")
                whose = whose or by_hash.get(refused.resume_hash or "")
                about = _about(refused, whose, times.count)
                actor = refused.actor or Actor.viewer(refused.address)
                audit.record(db, actor, refused.action, times.first_at, about, refused.outcome)

    def _put_back(self, some: dict[RefusedAction, _RepeatCount]) -> None:
        for refused, times in some.items():
            if since := self._waiting.get(refused):
                since.first_at, since.count = times.first_at, since.count + times.count
            else:
                self._waiting[refused] = times

    def _drop(self) -> None:
        self.dropped += 1
        if not self._is_full:
            log.error("audit_queue_full", waiting=len(self._waiting))
        self._is_full = True

    def _note_failure(self, error: SQLAlchemyError) -> None:
        if not self._is_failing:
            log.error("refusals_not_written", error=type(error).__name__)
        self._is_failing = True


def _about(refused: RefusedAction, whose: _Whose | None, times: int) -> About:
    subject = refused.sid or (audit.code_digest(refused.code) if refused.code and not whose else None)
    detail: dict[str, str | int] = {"times": times} if times > 1 else {}
    if refused.route:
        detail["route"] = refused.route
    return About(subject, whose.event_id if whose else None, whose.ticket_id if whose else None, detail)


async def _of_codes(db: AsyncSession, codes: Collection[str]) -> dict[str, _Whose]:
    """Tell whose the codes are, by the rule of tickets.find_by_code: as typed, else the only one that is alike."""
    alike = Ticket.canonical.in_(_sorted(set(map(canonical, codes))))
    rows = (await db.execute(select(Ticket.code, Ticket.canonical, Ticket.id, Ticket.event_id).where(alike))).all()
    number = Counter(row.canonical for row in rows)
    by_name = {row.canonical: row for row in rows if number[row.canonical] == 1} | {row.code: row for row in rows}
    found = {code: by_name.get(code) or by_name.get(canonical(code)) for code in codes}
    return {code: _Whose(row.id, row.event_id) for code, row in found.items() if row}


async def _of_sessions(db: AsyncSession, sids: Iterable[str]) -> dict[str, _Whose]:
    return await _whose(db, ViewingSession.sid, sids)


async def _of_browsers(db: AsyncSession, hashes: Iterable[str]) -> dict[str, _Whose]:
    return await _whose(db, ViewingSession.resume_hash, hashes)


async def _whose(db: AsyncSession, column: Any, values: Iterable[str]) -> dict[str, _Whose]:
    query = select(column, Ticket.id, Ticket.event_id).join(Ticket, Ticket.id == ViewingSession.ticket_id)
    rows = await db.execute(query.where(column.in_(_sorted(values))))
    return {value: _Whose(ticket_id, event_id) for value, ticket_id, event_id in rows}


def _sorted(values: Iterable[str]) -> Sequence[str]:
    return sorted(values)
