"""Heartbeats of ten thousand players, answered from the current state of the database without a transaction for each.

Those that arrive during a query are answered together by the next one. Last-seen times are written behind, once a
second: kill -9 loses that much of them, which the silence timeout tolerates. They never revive a session, and no client
is answered that its session is live if it was already over when the client asked.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import anyio
import structlog
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from authz_sidecar.contract.playback_token import Claims
from control_plane.batches import batches
from control_plane.db.database import Database
from control_plane.end_reasons import EndReason
from control_plane.sessions import last_seen, sessions
from control_plane.tables import Ticket, ViewingSession
from control_plane.tasks import every, idle

_PAUSE_SECONDS: Final = 0.02  # between two queries: ten thousand players cause fifty a second, not 333
_WRITE_EVERY_SECONDS: Final = 1.0
_BATCH_SIZE: Final = 1_000  # sessions per statement
log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _SessionState:
    """A session in the database: why it ended, or None if it is live, and when it was last seen."""

    end_reason: EndReason | None
    last_seen: datetime


class _SessionCheck:
    """One query of the database, shared by all heartbeats that wait for it."""

    def __init__(self) -> None:
        self.codes: dict[str, str] = {}  # by sid, as the token says
        self.states: dict[str, _SessionState] = {}
        self.deleted: set[str] = set()
        self.error: SQLAlchemyError | None = None
        self.is_done = anyio.Event()


class Heartbeats:
    """`run` must be running while `beat` is called."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._next_check = _SessionCheck()
        self._is_requested = anyio.Event()
        self._pending: dict[str, datetime] = {}
        self._is_failing = False

    async def beat(self, claims: Claims, now: datetime) -> float:
        """Record a heartbeat with a session's own token. Return how many seconds ago the session was last seen.

        It may have been seen by a heartbeat or by the gate. Raise TokenUnusable or SessionOver.
        """
        sessions.check_grace(claims, now)
        sid, check = claims.sid or "", self._next_check
        check.codes[sid] = claims.sub or ""
        self._is_requested.set()
        await check.is_done.wait()
        if check.error:
            raise check.error
        state = check.states.get(sid)
        if state is None:
            raise sessions.over_because(EndReason.DELETED if sid in check.deleted else EndReason.UNKNOWN)
        if state.end_reason:
            raise sessions.over_because(state.end_reason)
        last_seen_at = max(state.last_seen, self._pending.get(sid, state.last_seen))
        self._pending[sid] = max(now, last_seen_at)
        return max(0.0, (now - last_seen_at).total_seconds())

    async def run(self, stop: anyio.Event) -> None:
        """Run until `stop`, then query and write once more. Never cancel it: a transaction must be ended properly."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._run_checks, stop)
            tasks.start_soon(self._run_writes, stop)
            await stop.wait()
            self._is_requested.set()
        await self._write_behind()

    async def _run_checks(self, stop: anyio.Event) -> None:
        while self._next_check.codes or not stop.is_set():
            await self._is_requested.wait()
            check, self._next_check, self._is_requested = self._next_check, _SessionCheck(), anyio.Event()
            await self._run_check(check)
            await idle(_PAUSE_SECONDS, stop)

    async def _run_check(self, check: _SessionCheck) -> None:
        try:
            async with self._database.read() as db:
                check.states = await _find(db, sorted(check.codes))
                check.deleted = await _deleted(db, check)
        except SQLAlchemyError as error:
            check.error = error
        check.is_done.set()

    async def _run_writes(self, stop: anyio.Event) -> None:
        async for _ in every(_WRITE_EVERY_SECONDS, stop):
            await self._write_behind()

    async def _write_behind(self) -> None:
        """Write the pending times; keep those that could not be written for the next time."""
        pending, self._pending = self._pending, {}
        if not pending:
            return
        try:
            async with self._database.write() as db:
                seen = {sid: moment.timestamp() for sid, moment in pending.items()}
                await last_seen.move(db, seen, max(pending.values()))
        except SQLAlchemyError as error:
            self._pending = pending | self._pending
            self._log_failure(error)
        else:
            self._is_failing = False

    def _log_failure(self, error: SQLAlchemyError) -> None:
        if not self._is_failing:
            log.error("signs_of_life_not_written", error=type(error).__name__)
        self._is_failing = True


async def _find(db: AsyncSession, sids: Sequence[str]) -> dict[str, _SessionState]:
    states: dict[str, _SessionState] = {}
    session = ViewingSession
    columns = session.sid, session.ended_at, session.end_reason, session.last_seen_at
    for batch in batches(sids, _BATCH_SIZE):
        rows = await db.execute(select(*columns).where(session.sid.in_(batch)))
        for sid, ended_at, reason, seen_at in rows:
            states[sid] = _SessionState((reason or EndReason.UNKNOWN) if ended_at else None, seen_at)
    return states


async def _deleted(db: AsyncSession, check: _SessionCheck) -> set[str]:
    """Return which of the missing sessions were deleted with their tickets; a restored backup lost the others."""
    missing = {sid: code for sid, code in check.codes.items() if sid not in check.states}
    existing = await _existing_codes(db, sorted(set(missing.values())))
    return {sid for sid, code in missing.items() if code not in existing}


async def _existing_codes(db: AsyncSession, codes: Sequence[str]) -> set[str]:
    """Return those of these codes that are tickets."""
    existing: set[str] = set()
    for batch in batches(codes, _BATCH_SIZE):
        existing |= set(await db.scalars(select(Ticket.code).where(Ticket.code.in_(batch))))
    return existing
