"""Rows written together: by one statement on PostgreSQL, by several in one trip to the thread on SQLite.

For the rush when doors open, where building and sending statements is most of the work. Create a batch once and reuse
it.
"""

from typing import Any, Final

from sqlalchemy import BindParameter, Insert, Table, Update, bindparam, insert, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import DeclarativeBase

from control_plane.db.direct import Direct, Values, run_on_sqlite


class WriteBatch:
    """Writes that do not see each other's rows. `run` raises IntegrityError like each of them."""

    def __init__(self, *writes: Insert | Update) -> None:
        *others, last = writes
        self._combined: Final = Direct(last.add_cte(*(other.cte(f"written_{n}") for n, other in enumerate(others))))
        self._separate: Final = list(map(Direct, writes))

    async def run(self, db: AsyncSession, values: Values) -> None:
        """Run all writes with the values that `named` returns, those of all tables together."""
        if db.get_bind().dialect.name == "postgresql":
            await self._combined.run(db, values)
        else:
            await run_on_sqlite(db, self._separate, values)


def row_of(model: type[DeclarativeBase]) -> Insert:
    """Return the insert of a new row; the database sets its number if it has one."""
    table = _table(model)
    own = [column.name for column in table.columns if column is not table.autoincrement_column]
    return insert(table).values({name: _value(table, name) for name in own}).inline()


def change_of(model: type[DeclarativeBase], *columns: str) -> Update:
    """Return the update of these columns of one row, whose primary key is among the values."""
    table = _table(model)
    key = [column == _value(table, column.name) for column in table.primary_key]
    return update(table).where(*key).values({name: _value(table, name) for name in columns})


def named(model: type[DeclarativeBase], values: Values) -> Values:
    """Return one table's values under names that can be combined with those of other tables."""
    return {f"{_table(model).name}_{name}": value for name, value in values.items()}


def columns_of(row: DeclarativeBase) -> Values:
    """Return the values of a row by column name."""
    return {column.name: getattr(row, column.name) for column in _table(type(row)).columns}


def _table(model: type[DeclarativeBase]) -> Table:
    table = model.__table__
    assert isinstance(table, Table)  # noqa: S101 - a mapped class has one
    return table


def _value(table: Table, name: str) -> BindParameter[Any]:
    return bindparam(f"{table.name}_{name}", type_=table.c[name].type)
