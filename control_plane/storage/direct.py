"""Statements that go straight to PostgreSQL's driver, in the transaction of the connection that is at hand.

SQLAlchemy's own way costs three times as much. This one is for open doors: no rows come back, and values are those that
the driver knows: texts, numbers, times with their zone.
"""

from collections.abc import Mapping
from functools import cached_property
from typing import Any, Final

import psycopg
from sqlalchemy import ClauseElement, make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from control_plane.storage.engines import leave_out_values

_DIALECT: Final = make_url("postgresql+psycopg://").get_dialect()()


class Direct:
    """A statement, compiled at its first use. Make one once and use it again."""

    def __init__(self, statement: ClauseElement) -> None:
        self._statement: Final = statement

    async def run(self, connection: AsyncConnection, values: Mapping[str, Any]) -> None:
        """Raise SQLAlchemy's errors, as it does itself."""
        text, given = self._compiled
        line: Any = (await connection.get_raw_connection()).driver_connection
        try:
            await line.execute(text, {**given, **values})
        except psycopg.Error as error:
            wrapped = DBAPIError.instance(text, None, error, psycopg.Error, hide_parameters=True)
            leave_out_values(error, wrapped)
            raise wrapped from error

    @cached_property
    def _compiled(self) -> tuple[str, Mapping[str, Any]]:
        compiled = self._statement.compile(dialect=_DIALECT)
        return str(compiled), compiled.params or {}
