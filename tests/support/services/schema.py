"""Inspect a database's schema and fill its tables, at any migration."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from alembic.migration import MigrationContext
from sqlalchemy import (
    Boolean,
    Column,
    Connection,
    DateTime,
    Engine,
    Float,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    create_engine,
    func,
    insert,
    inspect,
    make_url,
    select,
    text,
)

NOON: Final = datetime(2027, 1, 15, 12, tzinfo=UTC)
# Not filled or counted: tables of Alembic and SQLite, and those derived from the tickets (an index and their number).
_NOT_OURS: Final = ("alembic_version", "sqlite_", "ticket_search", "ticket_tally")
# Columns that do not accept any value.
_VALUES: Final[dict[str, Any]] = {
    "event.ends_at": NOON.replace(hour=14),
    "event.access_window_hours": 48,
    "event.session_policy": "refuse",
    "event.doors": "open",
    "event.max_devices": 1,
    "admin_user.role": "owner",
    "ticket.code": "K7F2X9M4B1C3",
}


@dataclass(frozen=True)
class SchemaAt:
    """One database, accessed synchronously and without the application's engine."""

    url: str
    _reflected: dict[str, list[Table]] = field(default_factory=dict)  # by migration; reflecting takes long

    @contextmanager
    def engine(self) -> Iterator[Engine]:
        engine = create_engine(make_url(self.url.replace("sqlite+aiosqlite", "sqlite")))
        try:
            yield engine
        finally:
            engine.dispose()

    def run(self, statement: str) -> list[tuple[Any, ...]]:
        with self.engine() as engine, engine.begin() as connection:
            done = connection.execute(text(statement))
            return [tuple(row) for row in done] if done.returns_rows else []

    def tables(self) -> set[str]:
        with self.engine() as engine:
            return {name for name in inspect(engine).get_table_names() if not name.startswith(_NOT_OURS)}

    def shape(self) -> dict[str, Any]:
        """Describe everything that migrations create: columns, keys, indexes, checks."""
        with self.engine() as engine:
            look = inspect(engine)
            kinds: tuple[Any, ...] = (
                look.get_multi_columns(),
                look.get_multi_pk_constraint(),
                look.get_multi_foreign_keys(),
                look.get_multi_indexes(),
                look.get_multi_unique_constraints(),
                look.get_multi_check_constraints(),
            )
        return {
            f"{number} {name}": _in_order(what)
            for number, kind in enumerate(kinds)
            for (_, name), what in kind.items()
            if not name.startswith(_NOT_OURS)
        }

    def fill(self) -> None:
        """Write one row into each empty table, parent tables first."""
        with self.engine() as engine, engine.begin() as connection:
            for table in self._tables(connection):
                if not connection.scalar(select(func.count()).select_from(table)):
                    connection.execute(insert(table).values(_row(table)))

    def rows(self) -> dict[str, list[dict[str, Any]]]:
        with self.engine() as engine, engine.begin() as connection:
            return {
                table.name: [dict(row) for row in connection.execute(select(table)).mappings()]
                for table in self._tables(connection)
            }

    def _tables(self, connection: Connection) -> list[Table]:
        revision = MigrationContext.configure(connection).get_current_revision() or ""
        if revision not in self._reflected:
            metadata = MetaData()
            metadata.reflect(connection, only=lambda name, _: not name.startswith(_NOT_OURS))
            self._reflected[revision] = metadata.sorted_tables
        return self._reflected[revision]


def _row(table: Table) -> dict[str, Any]:
    """Return a value for every column, except those that the database numbers itself."""
    return {column.name: _value(column) for column in table.columns if not _is_counted(column)}


def _is_counted(column: Column[Any]) -> bool:
    return column.computed is not None or (
        column.primary_key and isinstance(column.type, Integer) and column.autoincrement is not False
    )


def _value(column: Column[Any]) -> Any:
    for key in column.foreign_keys:
        return _value(key.column)
    if (name := f"{column.table.name}.{column.name}") in _VALUES:
        return _VALUES[name]
    if isinstance(column.type, DateTime):
        return NOON
    if isinstance(column.type, Boolean):
        return True
    if isinstance(column.type, LargeBinary):
        return b"\x00\xff"
    if isinstance(column.type, Integer | Float):
        return 1
    return f"{column.name} of a {column.table.name}"[: getattr(column.type, "length", None)]


def _in_order(what: Any) -> list[str]:
    """Sort each part: SQLite does not keep the order of a table's constraints."""
    return sorted(str(_plain(part)) for part in (what if isinstance(what, list) else [what]))


def _plain(value: Any) -> Any:
    """Render SQL expressions as text, since their `repr` is only an address."""
    if isinstance(value, dict):
        return sorted((name, _plain(part)) for name, part in value.items())
    return str(value)
