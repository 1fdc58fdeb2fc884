"""Copy a whole database into a backup file and back, from SQLite or PostgreSQL to either.

Tables are read as the database describes them, not as the current models do, so an older schema can be backed up before
an upgrade and its backup restored afterwards. A restore is one transaction. It must never lose the old data before the
new data is written, and never let an edge continue with revocations from before it: the feed starts a new epoch.
"""

import secrets
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, TypeVar

from sqlalchemy import (
    Connection,
    DateTime,
    LargeBinary,
    TableClause,
    column,
    delete,
    insert,
    inspect,
    select,
    table,
    text,
)
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, StatementError
from sqlalchemy.orm import Session
from sqlalchemy.types import TypeEngine

from control_plane.access import audit
from control_plane.access.actors import Actor
from control_plane.access.audit import About
from control_plane.access.audited_change import Action
from control_plane.batches import batches
from control_plane.clock import utc_now
from control_plane.db import notices, schema_versions
from control_plane.db.database import DatabaseUnusable, hold_schema
from control_plane.db.engines import make_engine
from control_plane.db.sealing import SETTING, Sealer
from control_plane.errors import OperatorError
from control_plane.ops import home_database
from control_plane.ops.backups import backup_counters, backup_file
from control_plane.ops.backups.backup_file import (
    BackupHeader,
    BackupReader,
    BackupTrailer,
    DamagedBackupError,
    NewerBackupError,
    SavedSettings,
)
from control_plane.revocations.revocation_feed import TOPIC
from control_plane.sealed_columns import seal_within
from control_plane.tables import Base, FeedEpoch, FeedMark, SealCheck

_ROWS_PER_BATCH: Final = 1_000
_PICTURES_PER_BATCH: Final = 10
_LOCK_TIMEOUT: Final = "30s"
_METADATA: Final = Base.metadata
_WRONG_KEY: Final = (
    f"The secrets in the backup were sealed with another {SETTING}; nothing was changed. Make the backup with "
    "--with-secrets, or put its key after this home's in the settings, separated by a comma."
)
_NOT_EMPTY: Final = "The database is not empty; --force replaces everything in it."
T = TypeVar("T")


async def dump(url: str, file: Path, settings: SavedSettings | None, now: datetime) -> BackupTrailer:
    """Write a consistent snapshot of the database to a new file; the service may be running. Raise OperatorError."""
    home_database.check_it_exists(url)
    return await _within_transaction(url, lambda connection: _dump(connection, file, settings, now), _ONE_SNAPSHOT)


async def restore(url: str, file: Path, sealer: Sealer, *, force: bool) -> BackupTrailer:
    """Replace the contents of the database with the backup, or leave it unchanged and raise OperatorError.

    `force` allows replacing existing data. Sealed columns are sealed again with the sealer's first key. Return the
    trailer of the backup.
    """

    def work(connection: Connection) -> BackupTrailer:
        with backup_file.reading(file) as reader:
            return _restore(connection, reader, sealer, force=force)

    return await _within_transaction(url, work, _ONE_WRITER)


_ONE_SNAPSHOT: Final = {"sqlite": {}, "postgresql": {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}}
_ONE_WRITER: Final[dict[str, dict[str, Any]]] = {"sqlite": {"sqlite_begin": "BEGIN IMMEDIATE"}, "postgresql": {}}


async def _within_transaction(url: str, work: Callable[[Connection], T], options: dict[str, dict[str, Any]]) -> T:
    engine = make_engine(url)
    try:
        async with engine.execution_options(**options[engine.dialect.name]).begin() as connection:
            return await connection.run_sync(work)
    except DBAPIError as error:
        raise OperatorError(f"The database cannot be used: {home_database.first_line(error)}.") from None
    finally:
        await engine.dispose()


def _dump(connection: Connection, file: Path, settings: SavedSettings | None, now: datetime) -> BackupTrailer:
    revision = schema_versions.current(connection)
    if revision is None:
        raise OperatorError("The database holds no tables of StreamGate.")
    with backup_file.writing(file) as writer:
        writer.begin(BackupHeader(revision, now), settings)
        for stored in _tables(connection):
            writer.table(stored.name, [each.name for each in stored.columns], _rows(connection, stored))
        return writer.end(backup_counters.read(connection, list(_METADATA.tables)))


def _tables(connection: Connection) -> list[TableClause]:
    """Return our tables as they are in the database; a table comes after those that it refers to."""
    inspector = inspect(connection)
    names = [name for name, _ in inspector.get_sorted_table_and_fkc_names() if name in _METADATA.tables]
    return [
        table(
            name,
            *(column(each["name"], each["type"]) for each in inspector.get_columns(name) if _has_stored_values(each)),
        )
        for name in names
        if name is not None
    ]


def _has_stored_values(stored: Mapping[str, Any]) -> bool:
    """Return whether a column's values must be saved; computed columns are computed again."""
    return "computed" not in stored


def _rows(connection: Connection, stored: TableClause) -> Iterator[Sequence[Any]]:
    for row in connection.execute(select(stored), execution_options={"yield_per": _batch_size(stored)}):
        yield [_as_json(value) for value in row]


def _batch_size(stored: TableClause) -> int:
    """Return how many rows may be in memory at once: few where a column holds pictures."""
    return _PICTURES_PER_BATCH if _columns_of_type(stored, LargeBinary) else _ROWS_PER_BATCH


def _columns_of_type(stored: TableClause, kind: type[TypeEngine[Any]]) -> set[str]:
    return {each.name for each in stored.columns if isinstance(each.type, kind)}


def _as_json(value: Any) -> Any:
    """Convert a value to JSON; SQLite returns times in UTC without a time zone."""
    if isinstance(value, bytes):
        return b64encode(value).decode()
    if not isinstance(value, datetime):
        return value
    return (value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)).isoformat()


def _restore(connection: Connection, reader: BackupReader, sealer: Sealer, *, force: bool) -> BackupTrailer:
    heading, _ = reader.heading(), reader.settings()
    if heading.schema not in schema_versions.known():
        raise NewerBackupError
    hold_schema(connection)
    _lock_tables(connection)
    if not force and not _is_empty(connection):
        raise OperatorError(_NOT_EMPTY)
    _clear(connection)
    schema_versions.move(connection, heading.schema)
    _clear(connection)  # the first migration inserts an epoch
    _fill(connection, reader)
    ending = reader.ending()
    schema_versions.move(connection, schema_versions.known()[-1])
    backup_counters.write(connection, ending.counters)
    _seal(connection, sealer)
    _start_epoch(connection)
    _record(connection, heading)
    return ending


def _lock_tables(connection: Connection) -> None:
    """Lock all tables, so that other control planes see either the old state or the new one. SQLite has one writer."""
    names = ", ".join(stored.name for stored in _tables(connection))
    if names and connection.dialect.name == "postgresql":
        connection.execute(text(f"SET LOCAL lock_timeout = '{_LOCK_TIMEOUT}'"))
        connection.execute(text(f"LOCK TABLE {names} IN ACCESS EXCLUSIVE MODE"))


def _is_empty(connection: Connection) -> bool:
    """Return whether the tables hold no rows other than those that every new database has."""
    always = {FeedEpoch.__tablename__, FeedMark.__tablename__, SealCheck.__tablename__}
    stored = [each for each in _tables(connection) if each.name not in always]
    return not any(connection.execute(select(text("1")).select_from(each).limit(1)).first() for each in stored)


def _clear(connection: Connection) -> None:
    for stored in reversed(_tables(connection)):
        connection.execute(delete(stored))


def _fill(connection: Connection, reader: BackupReader) -> None:
    tables = {stored.name: stored for stored in _tables(connection)}
    for saved in reader.tables():
        stored = tables.pop(saved.name)
        if {each.name for each in stored.columns} != set(saved.columns):
            raise DamagedBackupError("other columns")
        converters: dict[str, Callable[[str], Any]] = dict.fromkeys(
            _columns_of_type(stored, DateTime), datetime.fromisoformat
        )
        converters |= dict.fromkeys(_columns_of_type(stored, LargeBinary), _bytes)
        with _reporting_rejected_rows(saved.name):
            for rows in batches(saved.rows, _batch_size(stored)):
                values = [dict(zip(saved.columns, row, strict=True)) for row in rows]
                connection.execute(insert(stored), [_from_json(each, converters) for each in values])
    if tables:
        raise DamagedBackupError("a table is missing")


def _from_json(values: dict[str, Any], converters: Mapping[str, Callable[[str], Any]]) -> dict[str, Any]:
    return values | {name: convert(values[name]) for name, convert in converters.items() if values[name] is not None}


def _bytes(text: str) -> bytes:
    return b64decode(text, validate=True)


def _seal(connection: Connection, sealer: Sealer) -> None:
    try:
        seal_within(connection, sealer)
    except DatabaseUnusable:
        raise OperatorError(_WRONG_KEY) from None


def _start_epoch(connection: Connection) -> None:
    """Start a new feed epoch, so that every edge loads a snapshot, and notify other control planes."""
    epoch = secrets.token_hex(4)
    if connection.execute(text("UPDATE feed_epoch SET epoch = :epoch"), {"epoch": epoch}).rowcount != 1:
        raise DamagedBackupError("no epoch")
    notices.send(connection, [TOPIC])


def _record(connection: Connection, heading: BackupHeader) -> None:
    """Record in the restored audit log that everything after the backup was undone."""
    about = About(detail={"backupOf": heading.created_at.isoformat()})
    with Session(connection) as db:
        db.add(audit.entry(Actor.command(), Action.BACKUP_RESTORE.word, utc_now(), about))
        db.flush()


@contextmanager
def _reporting_rejected_rows(name: str) -> Iterator[None]:
    """Name the table in the error, but none of its values: the database's own message would quote them."""
    try:
        yield
    except (OperationalError, InterfaceError):
        raise
    except StatementError:
        raise OperatorError(f"The database refuses what the backup has for {name}; nothing was changed.") from None
