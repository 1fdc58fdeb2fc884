"""Rows for every table, generated from their columns, so that new tables are always covered."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import NAMESPACE_URL, uuid5

from sqlalchemy import Boolean, Column, Float, Integer, LargeBinary, MetaData, String, Table, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from control_plane.db.database import UtcDateTime
from control_plane.db.engines import make_engine
from control_plane.end_reasons import EndReason
from control_plane.sealed_columns import SEALED
from control_plane.tables import Base, FeedEpoch, FeedMark, SealCheck
from control_plane.tables.base import EndReasonWord

ROWS: Final = 3
NOON: Final = datetime(2027, 1, 15, 12, tzinfo=UTC)
METADATA: Final[MetaData] = Base.metadata
# Values that satisfy the database's checks and cannot be generated.
_CHOSEN: Final[dict[str, Any]] = {
    "event.session_policy": "takeover",
    "event.doors": "closed",
    "event.starts_at": NOON,
    "event.ends_at": NOON + timedelta(hours=3),
    "admin_user.role": "owner",
    "viewing_session.end_reason": EndReason.REVOKED,
}
WRITTEN_BY_ITSELF: Final = {one.__tablename__ for one in (FeedEpoch, FeedMark, SealCheck)}  # filled by the services
_SEALED: Final = {f"{column.class_.__tablename__}.{column.key}" for column in SEALED}
_FAR: Final = 1001  # a number that the database's sequence does not reach in a test
_WORDS: Final = "Übung 'quoted' \"too\" \\n 日本"

Contents = dict[str, list[tuple[Any, ...]]]


async def fill(url: str, rows: int = ROWS) -> None:
    """Write rows into every table, except those that always have exactly one."""
    engine = make_engine(url)
    async with engine.begin() as connection:
        for table in METADATA.sorted_tables:
            if table.name not in WRITTEN_BY_ITSELF:
                await connection.execute(insert(table), [_row(table, number) for number in range(rows)])
    await engine.dispose()


async def contents(url: str) -> Contents:
    """Return all rows of all tables, ordered. Sealed values are left out: each sealing is different."""
    engine = make_engine(url)
    async with engine.connect() as connection:
        found = {table.name: await _rows(connection, table) for table in METADATA.sorted_tables}
    await engine.dispose()
    return found


def but_for_the_restore(found: Contents) -> Contents:
    """Leave out what a restore itself writes: a new epoch, a seal, and its audit entry."""
    others = {name: rows for name, rows in found.items() if name not in WRITTEN_BY_ITSELF}
    return {name: [row for row in rows if "backup.restore" not in row] for name, rows in others.items()}


async def _rows(connection: AsyncConnection, table: Table) -> list[tuple[Any, ...]]:
    rows = await connection.execute(select(table).order_by(*table.primary_key.columns))
    return [tuple(map(_but_for_seals, table.columns, row)) for row in rows]


def _but_for_seals(column: Column[Any], value: Any) -> Any:
    return "a secret" if value is not None and str(column) in _SEALED else value


def _row(table: Table, number: int) -> dict[str, Any]:
    return {column.name: _value(column, number) for column in table.columns if not column.computed}


def _value(column: Column[Any], number: int) -> Any:
    if str(column) in _CHOSEN:
        return _CHOSEN[str(column)]
    for key in column.foreign_keys:
        return _value(key.column, number)
    if column.nullable and number == ROWS - 1:
        return None
    return _of_type(column, number)


def _of_type(column: Column[Any], number: int) -> Any:
    kind = column.type
    if isinstance(kind, EndReasonWord):
        return list(EndReason)[number % ROWS]
    if isinstance(kind, UtcDateTime):
        return NOON + timedelta(hours=number, microseconds=number)
    if isinstance(kind, Boolean):
        return bool(number % 2)
    if isinstance(kind, Float):
        return number + 0.25
    if isinstance(kind, LargeBinary):
        return bytes(range(256)) * (number + 1)
    if isinstance(kind, Integer):
        return number + (_FAR if column.primary_key else 1)
    assert isinstance(kind, String), f"{column} has a type that no row is made for: {kind}"
    if kind.length == 36:
        return str(uuid5(NAMESPACE_URL, f"{column} {number}"))
    return f"{number} {_WORDS if kind.length is None else column.name}"[: kind.length]
