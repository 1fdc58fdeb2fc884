"""The database's autoincrement counters: carried over, so that a number that was used is never used again."""

from collections.abc import Iterator, Mapping, Sequence

from sqlalchemy import Connection, inspect, text


def read(connection: Connection, tables: Sequence[str]) -> dict[str, int]:
    """Return the last number used of each table that has a counter."""
    if connection.dialect.name == "sqlite":
        rows = connection.execute(text("SELECT name, seq FROM sqlite_sequence"))
        return {name: last for name, last in rows if name in tables}
    return {name: _last(connection, sequence) for name, _, sequence in _sequences(connection) if name in tables}


def write(connection: Connection, counters: Mapping[str, int]) -> None:
    """Set each counter to continue after both the backup's number and the highest existing row."""
    if connection.dialect.name == "sqlite":
        _write_sqlite(connection, counters)
        return
    for name, column, sequence in _sequences(connection):
        last = max(_highest(connection, name, column), counters.get(name, 0))
        # Not setval(): it is not undone when the transaction is rolled back.
        connection.execute(text(f"ALTER SEQUENCE {sequence} RESTART WITH {last + 1}"))


def _write_sqlite(connection: Connection, counters: Mapping[str, int]) -> None:
    """Set the counters of tables with AUTOINCREMENT; SQLite itself raises them to the highest row."""
    query = text("SELECT name FROM sqlite_master WHERE type = 'table' AND sql LIKE '%AUTOINCREMENT%'")
    for name in connection.execute(query).scalars().all():
        query = text("SELECT max(seq) FROM sqlite_sequence WHERE name = :name")
        last = max(connection.scalar(query, {"name": name}) or 0, counters.get(name, 0))
        connection.execute(text("DELETE FROM sqlite_sequence WHERE name = :name"), {"name": name})
        query = text("INSERT INTO sqlite_sequence (name, seq) VALUES (:name, :last)")
        connection.execute(query, {"name": name, "last": last})


def _sequences(connection: Connection) -> Iterator[tuple[str, str, str]]:
    """Yield each table, column and sequence (quoted for PostgreSQL)."""
    inspector = inspect(connection)
    query = text("SELECT pg_get_serial_sequence(:table, :column)")
    for name in inspector.get_table_names():
        for column in inspector.get_columns(name):
            if column.get("autoincrement") is True:
                sequence = connection.scalar(query, {"table": name, "column": column["name"]})
                if sequence:
                    yield name, column["name"], sequence


def _last(connection: Connection, sequence: str) -> int:
    value, is_called = connection.execute(text(f"SELECT last_value, is_called FROM {sequence}")).one()  # noqa: S608
    return int(value) if is_called else int(value) - 1


def _highest(connection: Connection, name: str, column: str) -> int:
    return int(connection.scalar(text(f"SELECT max({column}) FROM {name}")) or 0)  # noqa: S608 - names of our migrations
