"""The database: one engine, reads and writes apart, and the schema's migrations.

SQLite runs in WAL mode with synchronous=FULL, so that what was answered 200 survives a power cut, and takes its
write lock at BEGIN: with a deferred one, concurrent redemptions end in "database is locked".
"""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import anyio
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, DateTime, event
from sqlalchemy.engine import Dialect
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.types import TypeDecorator

from control_plane.announcements import ANNOUNCED, Announcements

_BUSY_TIMEOUT_MS = 30_000
_PRAGMAS = (
    "journal_mode=WAL",
    "synchronous=FULL",
    "foreign_keys=ON",
    f"busy_timeout={_BUSY_TIMEOUT_MS}",
)


class UtcDateTime(TypeDecorator[datetime]):
    """Aware UTC datetimes on every database; a naive one is a bug and raises ValueError."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, _dialect: Dialect) -> datetime | None:
        if value is not None and value.tzinfo is None:
            raise ValueError("A time without its zone cannot be stored.")
        return value.astimezone(UTC) if value else None

    def process_result_value(self, value: datetime | None, _dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Database:
    def __init__(self, url: str) -> None:
        self.engine = create_engine(url)
        self.is_sqlite = self.engine.dialect.name == "sqlite"
        self._writing_engine = self.engine.execution_options(sqlite_begin="BEGIN IMMEDIATE")
        # SQLite has one writer at a time anyway; a fair queue in the process beats its busy handler's dice.
        self._writers = anyio.Lock() if self.is_sqlite else None
        self.announcements = Announcements()

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncSession]:
        """Give a session whose reads see one state of the database."""
        async with AsyncSession(self.engine, expire_on_commit=False) as session:
            yield session

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncSession]:
        """Give a session whose changes are committed together when the block ends, or not at all."""
        announced: set[str] = set()
        async with self._queue(), self._writing_session(announced) as session, session.begin():
            yield session
        self.announcements.wake(announced)

    def _writing_session(self, announced: set[str]) -> AsyncSession:
        return AsyncSession(self._writing_engine, expire_on_commit=False, info={ANNOUNCED: announced})

    def _queue(self) -> AbstractAsyncContextManager[Any]:
        return self._writers or nullcontext()

    async def close(self) -> None:
        await self.engine.dispose()


def create_engine(url: str) -> AsyncEngine:
    engine = create_async_engine(url, pool_pre_ping=not url.startswith("sqlite"))
    if engine.dialect.name == "sqlite":
        event.listen(engine.sync_engine, "connect", _prepare_sqlite)
        event.listen(engine.sync_engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(dbapi_connection: Any, _record: Any) -> None:
    dbapi_connection.isolation_level = None  # transactions begin where SQLAlchemy says so, see _begin_sqlite
    cursor = dbapi_connection.cursor()
    for pragma in _PRAGMAS:
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    connection.exec_driver_sql(connection.get_execution_options().get("sqlite_begin", "BEGIN"))


def upgrade_schema(database_url: str) -> None:
    """Bring the database to the newest schema, creating it if there is none. Synchronous: for commands."""
    command.upgrade(_alembic_config(database_url), "head")


def _alembic_config(database_url: str) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["database_url"] = database_url
    return config
