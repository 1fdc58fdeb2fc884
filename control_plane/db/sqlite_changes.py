"""Detects whether a SQLite file was written to, by reading one number instead of querying for changes.

Manual: https://www.sqlite.org/pragma.html#pragma_data_version
"""

import sqlite3
from contextlib import suppress

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine


class SqliteChanges:
    """Keeps a connection of its own: the number changes with the writes of all others, in this process or another."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._connection: AsyncConnection | None = None
        self._seen = 0

    async def any(self) -> bool:
        """Return whether there were any since the last call; also True if that cannot be determined."""
        before = self._seen
        try:
            self._connection = self._connection or await self._connect()
            self._seen = await self._connection.run_sync(_version)
        except (SQLAlchemyError, sqlite3.Error):
            await self.close()
            return True
        return self._seen != before

    async def _connect(self) -> AsyncConnection:
        connection = await self._engine.connect()
        await connection.run_sync(Connection.detach)  # it does not take a place in the pool
        return connection

    async def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection:
            with suppress(SQLAlchemyError, sqlite3.Error):
                await connection.close()


def _version(connection: Connection) -> int:
    cursor = connection.connection.cursor()  # without a transaction, which would see only one state of the database
    try:
        cursor.execute("PRAGMA data_version")
        [(version,)] = cursor.fetchall()
    finally:
        cursor.close()
    return int(version)
