"""Statements that go straight to the database's driver, in the transaction of the connection that is at hand.

SQLAlchemy's own way costs three times as much. This one is for open doors: no rows come back, and values are texts,
numbers and times with their zone.
"""

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, Final, TypeAlias

import psycopg
from sqlalchemy import ClauseElement, make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from control_plane.storage.engines import leave_out_values

Values: TypeAlias = Mapping[str, Any]
_WITHOUT_ZONE: Final = len("2026-11-30 00:00:00.000000")
_POSTGRESQL: Final = make_url("postgresql+psycopg://").get_dialect()()
_SQLITE: Final = make_url("sqlite+aiosqlite://").get_dialect()()


class Direct:
    """A statement, compiled at its first use. Make one once and use it again."""

    def __init__(self, statement: ClauseElement) -> None:
        self._statement: Final = statement

    async def run(self, connection: AsyncConnection, values: Values) -> None:
        """Run it on PostgreSQL. Raise SQLAlchemy's errors, as it does itself."""
        text, given = self._on_postgresql
        line = await _line(connection)
        with _wrapped(text):
            await line.execute(text, {**given, **values})

    def on_sqlite(self, values: Values) -> tuple[str, list[Any]]:
        """Give the text with its values in their order."""
        text, names = self._on_sqlite
        return text, [_as_stored(values[name]) for name in names]

    @cached_property
    def _on_postgresql(self) -> tuple[str, Values]:
        compiled = self._statement.compile(dialect=_POSTGRESQL)
        return str(compiled), compiled.params or {}

    @cached_property
    def _on_sqlite(self) -> tuple[str, list[str]]:
        compiled: Any = self._statement.compile(dialect=_SQLITE)
        return str(compiled), compiled.positiontup


async def run_on_sqlite(connection: AsyncConnection, statements: list[Direct], values: Values) -> None:
    """Run them one after the other, in one trip to the connection's thread. Raise SQLAlchemy's errors."""
    line = await _line(connection)
    with _wrapped("several statements"):
        await line.run_all([statement.on_sqlite(values) for statement in statements])


def sqlite_time(moment: datetime) -> str:
    """Write a time as SQLite keeps it. PostgreSQL reads it, too."""
    utc = moment if moment.tzinfo is UTC else moment.astimezone(UTC)
    return utc.isoformat(" ", "microseconds")[:_WITHOUT_ZONE]


def _as_stored(value: Any) -> Any:
    return sqlite_time(value) if isinstance(value, datetime) else value


async def _line(connection: AsyncConnection) -> Any:
    return (await connection.get_raw_connection()).driver_connection


@contextmanager
def _wrapped(text: str) -> Iterator[None]:
    try:
        yield
    except (psycopg.Error, sqlite3.Error) as error:
        kind = psycopg.Error if isinstance(error, psycopg.Error) else sqlite3.Error
        wrapped = DBAPIError.instance(text, None, error, kind, hide_parameters=True)
        if isinstance(error, psycopg.Error):
            leave_out_values(error, wrapped)
        raise wrapped from error
