"""Heartbeats of ten thousand players, each answered from the database as it is, without a transaction for each.

Those that come in while the database is being asked are asked for together, next. Signs of life are written behind,
once a second: kill -9 loses that much of them, which the rule of silence forgives. They never revive a session, and
nobody is told that all is well with a session that was already over when they asked.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import anyio
import structlog
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from authz_sidecar.contract.playback_token import Claims
from control_plane.db.database import Database
from control_plane.end_reasons import EndReason
from control_plane.models import Ticket, ViewingSession
from control_plane.sessions import last_seen, sessions
from control_plane.tasks import every, idle

_BREATH_SECONDS: Final = 0.02  # between two looks: ten thousand players make for fifty a second, not 333
_WRITE_EVERY_SECONDS: Final = 1.0
_MOST_AT_ONCE: Final = 1_000  # sessions a statement
log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _Found:
    """A session as the database has it: why it ended, None for a live one, and when it was last seen."""

    ending: str | None
    last_seen: datetime


class _SessionCheck:
    """One look at the database, for everybody who waits for it."""

    def __init__(self) -> None:
        self.codes: dict[str, str] = {}  # of each session, as its token says
        self.found: dict[str, _Found] = {}
        self.deleted: set[str] = set()
        self.failure: SQLAlchemyError | None = None
        self.is_done = anyio.Event()


class Heartbeats:
    """`run` must be running for as long as somebody calls `beat`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._next = _SessionCheck()
        self._is_asked = anyio.Event()
        self._signs: dict[str, datetime] = {}
        self._is_failing = False

    async def beat(self, claims: Claims, now: datetime) -> float:
        """Note a sign of life of a session's own token. Return how many seconds ago the one before was.

        That may have been a heartbeat or what the gate reports. Raise TokenUnusable or SessionOver.
        """
        sessions.check_grace(claims, now)
        sid, look = claims.sid or "", self._next
        look.codes[sid] = claims.sub or ""
        self._is_asked.set()
        await look.is_done.wait()
        if look.failure:
            raise look.failure
        found = look.found.get(sid)
        if found is None:
            raise sessions.over_because(EndReason.DELETED if sid in look.deleted else EndReason.UNKNOWN)
        if found.ending:
            raise sessions.over_because(found.ending)
        before = max(found.last_seen, self._signs.get(sid, found.last_seen))
        self._signs[sid] = max(now, before)
        return max(0.0, (now - before).total_seconds())

    async def run(self, stop: anyio.Event) -> None:
        """Look and write behind until `stop`, and once more then. Never cancel it: a transaction wants to be ended."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._keep_looking, stop)
            tasks.start_soon(self._keep_writing, stop)
            await stop.wait()
            self._is_asked.set()
        await self._write_behind()

    async def _keep_looking(self, stop: anyio.Event) -> None:
        while self._next.codes or not stop.is_set():
            await self._is_asked.wait()
            look, self._next, self._is_asked = self._next, _SessionCheck(), anyio.Event()
            await self._look(look)
            await idle(_BREATH_SECONDS, stop)

    async def _look(self, look: _SessionCheck) -> None:
        try:
            async with self._database.read() as db:
                look.found = await _find(db, sorted(look.codes))
                look.deleted = await _deleted(db, look)
        except SQLAlchemyError as error:
            look.failure = error
        look.is_done.set()

    async def _keep_writing(self, stop: anyio.Event) -> None:
        async for _ in every(_WRITE_EVERY_SECONDS, stop):
            await self._write_behind()

    async def _write_behind(self) -> None:
        """Write what came in; what could not be written is kept for the next time."""
        signs, self._signs = self._signs, {}
        if not signs:
            return
        try:
            async with self._database.write() as db:
                seen = {sid: moment.timestamp() for sid, moment in signs.items()}
                await last_seen.move(db, seen, max(signs.values()))
        except SQLAlchemyError as error:
            self._signs = signs | self._signs
            self._note_failure(error)
        else:
            self._is_failing = False

    def _note_failure(self, error: SQLAlchemyError) -> None:
        if not self._is_failing:
            log.error("signs_of_life_not_written", error=type(error).__name__)
        self._is_failing = True


async def _find(db: AsyncSession, sids: Sequence[str]) -> dict[str, _Found]:
    found: dict[str, _Found] = {}
    table = ViewingSession
    columns = table.sid, table.ended_at, table.end_reason, table.last_seen_at
    for some in _portions(sids):
        rows = await db.execute(select(*columns).where(table.sid.in_(some)))
        for sid, ended_at, reason, seen_at in rows:
            found[sid] = _Found((reason or EndReason.UNKNOWN) if ended_at else None, seen_at)
    return found


async def _deleted(db: AsyncSession, look: _SessionCheck) -> set[str]:
    """Return which of the sessions that are not there went with their tickets; the others went with a restore."""
    missing = {sid: code for sid, code in look.codes.items() if sid not in look.found}
    there = await _tickets_there(db, sorted(set(missing.values())))
    return {sid for sid, code in missing.items() if code not in there}


async def _tickets_there(db: AsyncSession, codes: Sequence[str]) -> set[str]:
    """Return which of these codes are tickets."""
    there: set[str] = set()
    for some in _portions(codes):
        there |= set(await db.scalars(select(Ticket.code).where(Ticket.code.in_(some))))
    return there


def _portions(names: Sequence[str]) -> Iterator[Sequence[str]]:
    return (names[start : start + _MOST_AT_ONCE] for start in range(0, len(names), _MOST_AT_ONCE))
