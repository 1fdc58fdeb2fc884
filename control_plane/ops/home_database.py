"""The database of a home: read its URL and keys from the settings, and open it with clear errors."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from sqlalchemy import make_url
from sqlalchemy.exc import DBAPIError

from control_plane.db import schema_versions
from control_plane.db.database import Database
from control_plane.db.sealing import SETTING, Sealer, split_keys
from control_plane.errors import OperatorError
from control_plane.settings import Settings, check_database_url


def database_url(environment: Mapping[str, str]) -> str:
    """Return the URL of the database. Raise OperatorError if it is neither SQLite nor PostgreSQL."""
    try:
        return check_database_url(environment.get("DATABASE_URL") or Settings.model_fields["database_url"].default)
    except ValueError as error:
        raise OperatorError(f"DATABASE_URL {error}.") from None


def sqlite_file(url: str) -> Path | None:
    """Return the file of an SQLite database; None for one in memory, and for PostgreSQL."""
    path = make_url(url).database if url.startswith("sqlite") else None
    return Path(path) if path else None


def sealer(environment: Mapping[str, str]) -> Sealer:
    """Return the sealer with the configured keys. Raise OperatorError for a key that is too short."""
    try:
        return Sealer(split_keys(key) if (key := environment.get(SETTING)) else ())
    except ValueError as error:
        raise OperatorError(f"{SETTING}: {error}.") from None


@asynccontextmanager
async def open_url(url: str, sealer: Sealer | None = None) -> AsyncIterator[Database]:
    """Open a database. Raise OperatorError if it does not exist, is unreachable or has another schema."""
    check_it_exists(url)
    database = Database(url, sealer)
    try:
        await _check_schema(database)
        yield database
    except DBAPIError as error:
        raise OperatorError(f"The database cannot be used: {first_line(error)}.") from None
    finally:
        await database.close()


def check_it_exists(url: str) -> None:
    """Raise OperatorError if the SQLite file does not exist: opening it would create it."""
    file = sqlite_file(url)
    if file and not file.is_file():
        raise OperatorError(f"There is no database at {file}; `streamgate migrate` creates one.")


def first_line(error: DBAPIError) -> str:
    """Return the driver's message: it may contain a host, a user or a column, but no password and no value."""
    return str(error.orig).partition("\n")[0].rstrip(".")


async def _check_schema(database: Database) -> None:
    async with database.engine.connect() as connection:
        revision = await connection.run_sync(schema_versions.current)
    newest = schema_versions.known()[-1]
    if revision == newest:
        return
    if revision is None or revision in schema_versions.known():
        raise OperatorError("The database has an older schema; `streamgate migrate` upgrades it.")
    raise OperatorError("The database was made by a newer StreamGate; use that version.")
