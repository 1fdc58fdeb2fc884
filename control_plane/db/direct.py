"""Statements that are sent directly to the database's driver, in the session's transaction.

SQLAlchemy's own execution takes three times as long. This one is for the rush when doors open. Values are strings,
numbers and aware datetimes. Writes return no rows; reads return one.
"""

import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cache, cached_property
from inspect import isawaitable
from typing import Any, Final, TypeAlias

import aiosqlite
import psycopg
from sqlalchemy import ClauseElement, Column, Select, make_url
from sqlalchemy.engine import Dialect
from sqlalchemy.exc import DBAPIError, MultipleResultsFound
from sqlalchemy.ext.asyncio import AsyncSession

from control_plane.db.engines import leave_out_values
from control_plane.db.sqlite_trips import TripConnection

Values: TypeAlias = Mapping[str, Any]
_WITHOUT_ZONE: Final = len("2026-11-30 00:00:00.000000")
_POSTGRESQL: Final = make_url("postgresql+psycopg://").get_dialect()()
_SQLITE: Final = make_url("sqlite+aiosqlite://").get_dialect()()
_CONNECTION: Final = "driver connection"  # in a session's info: a transaction and the driver's connection for it


class Direct:
    """A statement, compiled at its first use. Create one once and reuse it."""

    def __init__(self, statement: ClauseElement) -> None:
        self._statement: Final = statement

    async def run(self, db: AsyncSession, values: Values) -> None:
        """Run the statement on PostgreSQL. Raise the same errors as SQLAlchemy."""
        connection = await driver_connection(db)
        text, given = self.on_postgresql(values)
        with _wrapping_errors(text):
            await connection.execute(text, given)

    def on_postgresql(self, values: Values) -> tuple[str, Values]:
        """Return the SQL text, and the values by name."""
        text, given = self._on_postgresql
        return text, {**given, **values}

    def on_sqlite(self, values: Values) -> tuple[str, list[Any]]:
        """Return the SQL text, and the values in order."""
        text, names, given = self._on_sqlite
        return text, [_as_stored(values[name] if name in values else given[name]) for name in names]

    @cached_property
    def _on_postgresql(self) -> tuple[str, Values]:
        compiled = self._statement.compile(dialect=_POSTGRESQL)
        return str(compiled), compiled.params or {}

    @cached_property
    def _on_sqlite(self) -> tuple[str, list[str], Values]:
        compiled: Any = self._statement.compile(dialect=_SQLITE)
        return str(compiled), compiled.positiontup or [], compiled.params or {}


class DirectQuery:
    """A query for one row of whole tables. The objects belong to no session: changing one writes nothing."""

    def __init__(self, query: Select[*tuple[Any, ...]]) -> None:
        self._models: Final = [found["entity"] for found in query.column_descriptions]
        columns = [column for model in self._models for column in model.__table__.columns]
        self._statement: Final = Direct(query.with_only_columns(*columns, maintain_column_froms=True))

    async def one(self, db: AsyncSession, values: Values) -> list[Any] | None:
        """Return one object per table, or None if there is no row. Raise the same errors as SQLAlchemy."""
        connection = await driver_connection(db)
        is_sqlite = isinstance(connection, aiosqlite.Connection)
        text, given = (self._statement.on_sqlite if is_sqlite else self._statement.on_postgresql)(values)
        cursor = connection.cursor()
        with _wrapping_errors(text):
            if isawaitable(cursor):  # aiosqlite's own
                cursor = await cursor
            await cursor.execute(text, given)
            rows = await cursor.fetchmany(2)
        if len(rows) > 1:
            raise MultipleResultsFound
        return self._objects(iter(rows[0]), _SQLITE if is_sqlite else _POSTGRESQL) if rows else None

    def _objects(self, row: Iterator[Any], dialect: Dialect) -> list[Any]:
        readers = [_readers(model, dialect) for model in self._models]
        return [
            model(**{name: read(value) if read else value for (name, read), value in zip(each, row, strict=False)})
            for model, each in zip(self._models, readers, strict=True)
        ]


@cache
def _readers(model: Any, dialect: Dialect) -> Sequence[tuple[str, Callable[[Any], Any] | None]]:
    """Return each column's name, and the function that converts the driver's value, if there is one."""
    columns: Sequence[Column[Any]] = model.__table__.columns
    return [(each.name, each.type.dialect_impl(dialect).result_processor(dialect, None)) for each in columns]


async def run_on_sqlite(db: AsyncSession, statements: list[Direct], values: Values) -> None:
    """Run the statements in order, in one trip to the connection's thread. Raise the same errors as SQLAlchemy."""
    connection, prepared = await driver_connection(db), [statement.on_sqlite(values) for statement in statements]
    with _wrapping_errors("several statements"):
        if isinstance(connection, TripConnection):
            await connection.run_all(prepared)
            return
        for text, given in prepared:
            await connection.execute(text, given)


def sqlite_time(moment: datetime) -> str:
    """Return a time as SQLite stores it. PostgreSQL reads this format, too."""
    utc = moment if moment.tzinfo is UTC else moment.astimezone(UTC)
    return utc.isoformat(" ", "microseconds")[:_WITHOUT_ZONE]


def _as_stored(value: Any) -> Any:
    return sqlite_time(value) if isinstance(value, datetime) else value


async def driver_connection(db: AsyncSession) -> Any:
    """Return the driver's connection. It is cached, because looking it up takes a fifth of a statement's time."""
    transaction, connection = db.info.get(_CONNECTION, (None, None))
    if connection is None or transaction is not db.sync_session.get_transaction():
        pooled = await db.connection()
        connection = (await pooled.get_raw_connection()).driver_connection
        db.info[_CONNECTION] = db.sync_session.get_transaction(), connection
    return connection


@contextmanager
def _wrapping_errors(text: str) -> Iterator[None]:
    try:
        yield
    except (psycopg.Error, sqlite3.Error) as error:
        kind = psycopg.Error if isinstance(error, psycopg.Error) else sqlite3.Error
        wrapped = DBAPIError.instance(text, None, error, kind, hide_parameters=True)
        if isinstance(error, psycopg.Error):
            leave_out_values(error, wrapped)
        raise wrapped from error
