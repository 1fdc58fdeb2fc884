"""The database: separate reads and writes, one transaction per block, and the schema's migrations.

SQLite runs in WAL mode with synchronous=FULL, so that what was answered with 200 survives a power failure. It takes
the write lock at BEGIN: with a deferred one, concurrent redemptions end in "database is locked".

On PostgreSQL several processes share the database. To avoid deadlocks, a transaction takes its locks in this order:
events, tickets and sessions, each by their id, then the feed, and at the very end when sessions were last seen.
"""

import secrets
from collections.abc import AsyncIterator, Collection
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from datetime import UTC, datetime
from enum import IntEnum
from pathlib import Path
from typing import Any, Final, TypeVar

import anyio
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, DateTime, QueuePool, Select, func, select
from sqlalchemy.engine import Dialect
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
from sqlalchemy.types import TypeDecorator

from control_plane.db import notices
from control_plane.db.announcements import ANNOUNCED, Announcements
from control_plane.db.direct import driver_connection
from control_plane.db.engines import Purpose, make_engine
from control_plane.db.sealing import SEALER, Sealer
from control_plane.db.sqlite_changes import SqliteChanges

_KEPT: Final = "kept"
T = TypeVar("T")


class Lock(IntEnum):
    """What only one transaction at a time may do. The values are keys in PostgreSQL: never change one."""

    FEED = 7_370_001
    SCHEMA = 7_370_002
    FIRST_OWNER = 7_370_003
    EVENT = 7_370_004
    OWNERS = 7_370_005
    WEBHOOKS = 7_370_006
    LAST_SEEN = 7_370_007


class DatabaseUnusable(Exception):
    """The database cannot be reached or used, described in one sentence for the operator."""

    exit_code = 1


class UtcDateTime(TypeDecorator[datetime]):
    """Aware UTC datetimes on every database; a naive one is a bug and raises ValueError."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, _dialect: Dialect) -> datetime | None:
        if value is not None and value.tzinfo is None:
            raise ValueError("A time without a time zone cannot be stored.")
        return value.astimezone(UTC) if value else None

    def process_result_value(self, value: datetime | None, _dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Database:
    def __init__(self, url: str, sealer: Sealer | None = None) -> None:
        self.name = secrets.token_hex(4)  # by which this process recognises its own notices
        self.engine = make_engine(url, Purpose.READING)
        self.is_sqlite = self.engine.dialect.name == "sqlite"
        writing = self.engine if self.is_sqlite else make_engine(url, Purpose.WRITING)
        self._writing_engine = writing.execution_options(sqlite_begin="BEGIN IMMEDIATE")
        # SQLite has one writer at a time anyway; a fair queue in the process is better than its busy handler.
        self._writers = anyio.Lock() if self.is_sqlite else None
        self._changes = SqliteChanges(self.engine) if self.is_sqlite else None
        self.announcements = Announcements()
        self._kept: dict[type, Any] = {}
        self.sealer = sealer or Sealer()

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncSession]:
        """Provide a session whose reads see one state of the database."""
        async with _closing(AsyncSession(self.engine, expire_on_commit=False, info={SEALER: self.sealer})) as session:
            yield session

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncSession]:
        """Provide a session whose changes are committed together when the block ends, or not at all.

        The transaction has begun when the block is entered: a time that is read in it is that of the transaction.
        """
        announced: set[str] = set()
        async with self._queue(), _closing(self._writing_session(announced)) as session:
            await driver_connection(session)  # begins: on SQLite this waits for a writer in another process
            yield session
            number = await self._notify_others(session, announced)
            await session.commit()
            self.announcements.receive_own(number)
        self.announcements.wake(announced)

    async def _notify_others(self, session: AsyncSession, topics: Collection[str]) -> int | None:
        """Send notices; return their number on SQLite."""
        return await (await session.connection()).run_sync(notices.send, topics, self.name) if topics else None

    def _writing_session(self, announced: set[str]) -> AsyncSession:
        info = {ANNOUNCED: announced, _KEPT: self._kept, SEALER: self.sealer}
        return AsyncSession(self._writing_engine, expire_on_commit=False, info=info)

    def _queue(self) -> AbstractAsyncContextManager[Any]:
        return self._writers or nullcontext()

    async def may_have_changed(self) -> bool:
        """Return whether there may be changes since the last call; on PostgreSQL always, as only a query can tell."""
        return await self._changes.any() if self._changes else True

    def connections_in_use(self) -> dict[str, int]:
        """Return the number of connections in use by purpose; on SQLite both come from one pool."""
        engines = {"read": self.engine} if self.is_sqlite else {"read": self.engine, "write": self._writing_engine}
        pools = {purpose: engine.pool for purpose, engine in engines.items()}
        return {purpose: pool.checkedout() for purpose, pool in pools.items() if isinstance(pool, QueuePool)}

    def waiting_writers(self) -> int:
        """Return how many tasks in this process wait to be SQLite's one writer."""
        return self._writers.statistics().tasks_waiting if self._writers else 0

    async def close(self) -> None:
        if self._changes:
            await self._changes.close()
        await self.engine.dispose()
        await self._writing_engine.dispose()


@asynccontextmanager
async def _closing(session: AsyncSession) -> AsyncIterator[AsyncSession]:
    """Roll back what was not committed, even when cancelled.

    Without a transaction, close synchronously: SQLAlchemy's `close` starts a task even if there is nothing to do.
    """
    try:
        yield session
    finally:
        if session.in_transaction():
            with anyio.CancelScope(shield=True):
                await session.close()
        else:
            session.sync_session.close()


async def hold(db: AsyncSession, lock: Lock) -> None:
    """Wait for a lock, and hold it until the transaction ends. Do nothing on SQLite, which has one writer anyway."""
    if db.get_bind().dialect.name == "postgresql":
        await db.execute(select(func.pg_advisory_xact_lock(lock.value)))


def per_process(db: AsyncSession, kind: type[T]) -> T:
    """Return the object of this class that all writing transactions of this process share: a cache, for example."""
    kept: dict[type, T] = db.info.get(_KEPT, {})
    return kept.setdefault(kind, kind())


def queue_for(lock: Lock, ids: Select[str], *, shared: bool) -> Select[Any]:
    """Return the statement that locks these ids, in their order, until the transaction ends: on PostgreSQL only.

    These are not row locks: an exclusive one would wait for as long as others overlap in sharing the row, for example
    a deactivation for as long as tickets are redeemed. The queue of advisory locks is fair.
    """
    take = func.pg_advisory_xact_lock_shared if shared else func.pg_advisory_xact_lock
    return select(take(lock.value, func.hashtext(ids.subquery().c[0])))


def create_engine(url: str) -> AsyncEngine:
    """Return an engine without time-outs, for what an operator started."""
    return make_engine(url)


def upgrade_schema(database_url: str) -> None:
    """Migrate the database to the newest schema, creating it if there is none. Synchronous: for commands.

    If several processes do this at once, one migrates and the others wait. Raise DatabaseUnusable.
    """
    try:
        command.upgrade(_alembic_config(database_url), "head")
    except (OperationalError, InterfaceError) as error:
        # The message of the driver contains a host and a user, but no password.
        why = str(error.orig).partition("\n")[0].rstrip(".")
        raise DatabaseUnusable(f"The database cannot be used: {why}.") from error


def hold_schema(connection: Connection) -> None:
    """Keep other migrations out until the transaction ends; on SQLite BEGIN IMMEDIATE does that."""
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(Lock.SCHEMA.value)))


def _alembic_config(database_url: str) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["database_url"] = database_url
    return config
