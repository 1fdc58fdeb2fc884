"""What commands that work on a home's database have in common: finding it, opening it, and saying what is wrong.

A command uses the same rules as the API and the console, on the same database, while the service goes on.
"""

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypeVar

import anyio
from pydantic import BaseModel, ValidationError
from pydantic.alias_generators import to_snake
from sqlalchemy import make_url
from sqlalchemy.exc import DBAPIError

from control_plane.access import audited_change as acting
from control_plane.access.actors import Actor
from control_plane.access.audited_change import Action, Deed
from control_plane.clock import utc_now
from control_plane.db import schema_versions
from control_plane.db.database import Database
from control_plane.db.sealing import SETTING, Sealer, split_keys
from control_plane.errors import FieldRefused, Refusal
from control_plane.ops.home import OperatorError, UsageError, read_environment
from control_plane.schemas import Paging
from control_plane.settings import Settings
from control_plane.web.answers import Pagination

M = TypeVar("M", bound=BaseModel)
T = TypeVar("T")


def on_database(home: Path, work: Callable[[Database], Awaitable[T]]) -> T:
    """Do something on the home's database. Raise OperatorError, with the sentence of a refusal if it is one."""

    async def run() -> T:
        environment = read_environment(home)
        async with open_url(database_url(environment), sealer(environment)) as database:
            return await work(database)

    try:
        return anyio.run(run)
    except FieldRefused as refusal:
        raise UsageError(_sentence((to_snake(refusal.field),), str(refusal))) from None
    except Refusal as refusal:
        raise OperatorError(str(refusal)) from None


def act(home: Path, action: Action, work: Callable[[Deed], Awaitable[T]]) -> T:
    """Change something, with its entry in the audit log. Raise OperatorError."""

    async def run(database: Database) -> T:
        async with acting.act(database, Actor.command(), action, utc_now()) as deed:
            return await work(deed)

    return on_database(home, run)


def parse(schema: type[M], values: Mapping[str, object]) -> M:
    """Validate what the command line says as the API would. Raise UsageError with one line an option."""
    given = {name: value for name, value in values.items() if value is not None}
    try:
        return schema.model_validate(given)
    except ValidationError as error:
        raise UsageError("\n".join(_sentence(each["loc"], each["msg"]) for each in error.errors())) from None


def alive_since(home: Path) -> datetime:
    """Tell since when somebody must have given a sign of life to be watching now. Raise OperatorError."""
    said = read_environment(home).get("SESSION_TIMEOUT_SECONDS", "")
    known = int(said) if re.fullmatch(r"[0-9]{1,6}", said) else Settings.model_fields["session_timeout_seconds"].default
    return utc_now() - timedelta(seconds=known)


def pagination(asked: Paging, total: int) -> Pagination:
    return Pagination(page=asked.page, limit=asked.limit, total=total, total_pages=-(-total // asked.limit))


def _sentence(where: tuple[int | str, ...], message: str) -> str:
    text = message.removeprefix("Value error, ").removesuffix(".")
    return f"--{str(where[0]).replace('_', '-')}: {text}." if where else f"{text}."


def database_url(environment: Mapping[str, str]) -> str:
    """Raise OperatorError for an address of no database that we know."""
    url = environment.get("DATABASE_URL") or str(Settings.model_fields["database_url"].default)
    if not url.startswith(("sqlite+aiosqlite:///", "postgresql+psycopg://")):
        raise OperatorError("DATABASE_URL must start with sqlite+aiosqlite:/// or postgresql+psycopg://.")
    return url


def sealer(environment: Mapping[str, str]) -> Sealer:
    """Raise OperatorError for a key that is too short."""
    try:
        return Sealer(split_keys(key) if (key := environment.get(SETTING)) else ())
    except ValueError as error:
        raise OperatorError(f"{SETTING}: {error}.") from None


@asynccontextmanager
async def open_url(url: str, sealer: Sealer | None = None) -> AsyncIterator[Database]:
    """Open a database. Raise OperatorError when it is not there, out of reach or of another schema."""
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
    """Raise OperatorError for an SQLite file that is not there: opening it would make one."""
    path = make_url(url).database if url.startswith("sqlite") else None
    if path and not Path(path).is_file():
        raise OperatorError(f"There is no database at {path}; `streamgate migrate` makes one.")


def first_line(error: DBAPIError) -> str:
    """Give the driver's words: they name a host, a user or a column, and no password and no value."""
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
