"""Direct database access for the benchmark of an opening: fill it before, and read the result afterwards."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypeVar

from dotenv import dotenv_values
from sqlalchemy import func, insert, select
from sqlalchemy.ext.asyncio import AsyncSession

from control_plane.clock import utc_now
from control_plane.codes import new_code
from control_plane.db.database import Database
from control_plane.tables import LastSeen, Ticket, ViewingSession, new_id
from tests.support.data.tokens import Minter
from tests.support.threads import in_thread

T = TypeVar("T")


class BenchDatabase:
    """The database of a home, and the key for its tokens."""

    def __init__(self, home: Path) -> None:
        self._url = dotenv_values(home / ".env", interpolate=False)["DATABASE_URL"] or ""
        self._minter = Minter(home)

    def add_sessions(self, event_id: str, count: int) -> list[str]:
        """Insert live sessions, each with its own ticket; return a token of each."""
        people = [(new_id(), new_code(), secrets.token_urlsafe(16)) for _ in range(count)]

        async def add(db: AsyncSession) -> None:
            now = utc_now()
            tickets = {"event_id": event_id, "is_revoked": False, "tokens_not_before": 0}
            tickets |= {"created_at": now, "redeemed_at": now, "expires_at": now + timedelta(hours=6)}
            await db.execute(insert(Ticket), [tickets | {"id": id_, "code": code} for id_, code, _ in people])
            issued_at = int(now.timestamp())
            sessions = {"seat": 0, "started_at": now, "client_ip": "", "user_agent": ""}
            sessions |= {"carrier": "header", "token_issued_at": issued_at, "token_expires_at": issued_at + 3600}
            rows = [sessions | {"sid": sid, "ticket_id": id_} for id_, _, sid in people]
            await db.execute(insert(ViewingSession), rows)
            await db.execute(insert(LastSeen), [{"sid": sid, "at": now} for _, _, sid in people])

        if people:
            self._do(add)
        return [self._minter.token(event_id, sub=code, sid=sid) for _, code, sid in people]

    def live_sessions(self) -> set[str]:
        async def read(db: AsyncSession) -> set[str]:
            return set(await db.scalars(select(ViewingSession.sid).where(ViewingSession.ended_at.is_(None))))

        return self._do(read)

    def count_seen_since(self, moment: datetime) -> int:
        async def read(db: AsyncSession) -> int:
            live = ViewingSession.ended_at.is_(None), ViewingSession.last_seen_at >= moment
            return await db.scalar(select(func.count()).select_from(ViewingSession).where(*live)) or 0

        return self._do(read)

    def _do(self, work: Callable[[AsyncSession], Awaitable[T]]) -> T:
        async def within() -> T:
            database = Database(self._url)
            try:
                async with database.write() as db:
                    return await work(db)
            finally:
                await database.close()

        return in_thread(lambda: asyncio.run(within()))
