"""What commands that work on a home's database have in common: finding it, opening it, and saying what is wrong.

A command uses the same rules as the API and the console, on the same database, while the service goes on.
"""

import re
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypeVar

import anyio
from pydantic import BaseModel, ValidationError
from pydantic.alias_generators import to_snake

from control_plane.access import audited_change as acting
from control_plane.access.actors import Actor
from control_plane.access.audited_change import Action, AuditedChange
from control_plane.clock import utc_now
from control_plane.db.database import Database
from control_plane.errors import FieldRefused, OperatorError, Refusal, UsageError
from control_plane.ops.home import read_environment
from control_plane.ops.home_database import database_url, open_url, sealer
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


def apply_change(home: Path, action: Action, work: Callable[[AuditedChange], Awaitable[T]]) -> T:
    """Change something, with its entry in the audit log. Raise OperatorError."""

    async def run(database: Database) -> T:
        async with acting.audited_change(database, Actor.command(), action, utc_now()) as deed:
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
