"""Shared code of the commands that use a home's database: find it, open it, and report errors.

A command applies the same rules as the API and the console to the same database; the service may be running.
"""

import re
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypeVar

import anyio
from pydantic import BaseModel, ValidationError
from pydantic.alias_generators import to_snake

from control_plane.access.actors import Actor
from control_plane.access.audited_change import Action, AuditedChange, audited_change
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
    """Run `work` on the home's database and return its result. Raise OperatorError, also for a refusal."""

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
    """Run `work` in a transaction that also writes an entry to the audit log. Raise OperatorError."""

    async def run(database: Database) -> T:
        async with audited_change(database, Actor.command(), action) as change:
            return await work(change)

    return on_database(home, run)


def parse(schema: type[M], values: Mapping[str, object]) -> M:
    """Validate options by the schema of the API. Raise UsageError with one line per invalid option."""
    given = {name: value for name, value in values.items() if value is not None}
    try:
        return schema.model_validate(given)
    except ValidationError as error:
        raise UsageError("\n".join(_sentence(each["loc"], each["msg"]) for each in error.errors())) from None


def alive_since(home: Path) -> datetime:
    """Return the time since which a session must have been seen to count as watching. Raise OperatorError."""
    text = read_environment(home).get("SESSION_TIMEOUT_SECONDS", "")
    default = Settings.model_fields["session_timeout_seconds"].default
    return utc_now() - timedelta(seconds=int(text) if re.fullmatch(r"[0-9]{1,6}", text) else default)


def pagination(paging: Paging, total: int) -> Pagination:
    return Pagination(page=paging.page, limit=paging.limit, total=total, total_pages=-(-total // paging.limit))


def _sentence(location: tuple[int | str, ...], message: str) -> str:
    text = message.removeprefix("Value error, ").removesuffix(".")
    return f"--{str(location[0]).replace('_', '-')}: {text}." if location else f"{text}."
