"""Rows written together: by one statement on PostgreSQL, by several in one trip to its thread on SQLite.

For what happens at open doors, where making and sending statements is most of the work. Make one once and use it again.
"""

from typing import Any, Final

from sqlalchemy import BindParameter, Insert, Table, Update, bindparam, insert, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import DeclarativeBase

from control_plane.db.direct import Direct, Values, run_on_sqlite


class WriteBatch:
    """Writes that do not see each other's rows. Raise IntegrityError as each of them does."""

    def __init__(self, *writes: Insert | Update) -> None:
        *others, last = writes
        self._at_once: Final = Direct(last.add_cte(*(other.cte(f"written_{n}") for n, other in enumerate(others))))
        self._in_turn: Final = list(map(Direct, writes))

    async def run(self, db: AsyncSession, values: Values) -> None:
        """Write with the values that `named` gives, of all tables."""
        if db.get_bind().dialect.name == "postgresql":
            await self._at_once.run(db, values)
        else:
            await run_on_sqlite(db, self._in_turn, values)


def row_of(model: type[DeclarativeBase]) -> Insert:
    """Write a new row, numbered by the database where it has a number."""
    table = _table(model)
    own = [column.name for column in table.columns if column is not table.autoincrement_column]
    return insert(table).values({name: _value(table, name) for name in own}).inline()


def change_of(model: type[DeclarativeBase], *columns: str) -> Update:
    """Change these columns of the row whose primary key is given, too."""
    table = _table(model)
    key = [column == _value(table, column.name) for column in table.primary_key]
    return update(table).where(*key).values({name: _value(table, name) for name in columns})


def named(model: type[DeclarativeBase], values: Values) -> Values:
    """Name the values of one table's columns so that they can stand beside those of others."""
    return {f"{_table(model).name}_{name}": value for name, value in values.items()}


def columns_of(row: DeclarativeBase) -> Values:
    """Give a row's columns by their names."""
    return {column.name: getattr(row, column.name) for column in _table(type(row)).columns}


def _table(model: type[DeclarativeBase]) -> Table:
    table = model.__table__
    assert isinstance(table, Table)  # noqa: S101 - a mapped class has one
    return table


def _value(table: Table, name: str) -> BindParameter[Any]:
    return bindparam(f"{table.name}_{name}", type_=table.c[name].type)
