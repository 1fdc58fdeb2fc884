"""How the databases are connected to: SQLite's pragmas and its BEGIN, PostgreSQL's time-outs and pools.

Nobody may wait for ever for a lock or for a server that is gone, and no value of a row or parameter (a code, a
digest) may stand in the text of an error: it will be logged.
"""

import os
import select
import sqlite3
from contextlib import suppress
from enum import Enum
from typing import Any, Final, TypeAlias

import psycopg
from sqlalchemy import URL, Connection, NullPool, event, make_url
from sqlalchemy.engine.interfaces import ExceptionContext
from sqlalchemy.exc import InvalidatePoolError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from control_plane.db import sqlite_trips

_BUSY_TIMEOUT_MS: Final = 30_000
_PRAGMAS: Final = (
    f"busy_timeout={_BUSY_TIMEOUT_MS}",  # first: the others may have to wait, too
    "journal_mode=WAL",
    "synchronous=FULL",
    "foreign_keys=ON",
)
_CONNECTIONS: Final = 10  # of a process, for each purpose: more would only wait for each other's locks

# libpq's words. A server that has vanished without a goodbye is given up after half a minute.
_LINE: Final = {
    "application_name": "streamgate",
    "connect_timeout": 5,
    "keepalives_idle": 15,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}


_Settings: TypeAlias = dict[str, str | int]


class Purpose(Enum):
    """What connections are for, as PostgreSQL's settings of a session (times in milliseconds).

    Readers see one state of the database for as long as they read, and may take their time: an export goes as fast as
    whoever reads it. A writer that stands still holds others up and is dropped. What an operator started has no limit.
    """

    READING = {  # noqa: RUF012 - a member, not a shared default
        "default_transaction_isolation": r"repeatable\ read",
        "default_transaction_read_only": "on",
        "statement_timeout": 30_000,
    }
    WRITING = {  # noqa: RUF012
        "statement_timeout": 30_000,
        "lock_timeout": 10_000,
        "idle_in_transaction_session_timeout": 30_000,
    }
    MAINTENANCE = _Settings()


def make_engine(url: str, purpose: Purpose = Purpose.MAINTENANCE) -> AsyncEngine:
    parsed = make_url(url)
    return _sqlite(parsed) if parsed.get_backend_name() == "sqlite" else _postgresql(parsed, purpose)


def is_outage(error: Exception) -> bool:
    """Tell whether an OperationalError and its like say that the database is away, or too busy to answer.

    SQLite calls a statement that makes no sense by that name, too.
    """
    return getattr(getattr(error, "orig", None), "sqlite_errorcode", None) != sqlite3.SQLITE_ERROR


def direct_arguments(engine: AsyncEngine) -> dict[str, Any]:
    """Give what psycopg itself connects with to the same PostgreSQL."""
    _, arguments = engine.dialect.create_connect_args(engine.url)
    return {**arguments, **_line_arguments(engine.url, Purpose.MAINTENANCE)}


def _line_arguments(url: URL, purpose: Purpose) -> dict[str, Any]:
    """Give psycopg's arguments beyond those in the URL, which win."""
    ours = {"timezone": "UTC"} | purpose.value
    options = " ".join(f"-c {name}={value}" for name, value in ours.items())
    theirs = url.query.get("options", "")
    line: dict[str, Any] = {name: value for name, value in _LINE.items() if name not in url.query}
    return line | {"options": f"{options} {theirs}".strip()}


def _sqlite(url: URL) -> AsyncEngine:
    engine = create_async_engine(url, hide_parameters=True)
    event.listen(engine.sync_engine, "do_connect", _make_private)
    event.listen(engine.sync_engine, "do_connect", sqlite_trips.connect)
    event.listen(engine.sync_engine, "connect", _prepare_sqlite)
    event.listen(engine.sync_engine, "begin", _begin_sqlite)
    return engine


def _make_private(_dialect: Any, _record: Any, arguments: Any, _settings: Any) -> None:
    """Make a new file for its owner alone, whatever folder it is in; what SQLite puts beside it is made like it."""
    path = str(arguments[0])
    if path and not path.startswith((":", "file:")):
        with suppress(FileExistsError, OSError):  # SQLite says it better
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))


def _prepare_sqlite(dbapi_connection: Any, _record: Any) -> None:
    dbapi_connection.isolation_level = None  # transactions begin where SQLAlchemy says so, see _begin_sqlite
    cursor = dbapi_connection.cursor()
    for pragma in _PRAGMAS:
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    connection.exec_driver_sql(connection.get_execution_options().get("sqlite_begin", "BEGIN"))


def _postgresql(url: URL, purpose: Purpose) -> AsyncEngine:
    is_brief = purpose is Purpose.MAINTENANCE
    # No overflow: connections that come and go under load cost more than waiting for one that stays.
    pool: dict[str, Any] = {"poolclass": NullPool} if is_brief else {"pool_size": _CONNECTIONS, "max_overflow": 0}
    engine = create_async_engine(
        url,
        connect_args=_line_arguments(url, purpose),
        hide_parameters=True,
        use_native_hstore=False,  # or each new connection asks for a type that we have no use for
        **pool,
    )
    event.listen(engine.sync_engine, "handle_error", _leave_out_values)
    event.listen(engine.sync_engine, "checkout", _drop_closed)
    return engine


def _drop_closed(dbapi_connection: Any, _record: Any, _proxy: Any) -> None:
    """Leave a connection that the server has closed, and all of the pool with it: what is idle has nothing to read.

    A look costs nothing, a question (`pool_pre_ping`) as much as what is to be asked. A server that is gone without a
    goodbye answers neither.
    """
    line = select.poll()
    line.register(dbapi_connection.driver_connection.fileno(), select.POLLIN)
    if line.poll(0):
        raise InvalidatePoolError


def _leave_out_values(context: ExceptionContext) -> None:
    """Keep of PostgreSQL's errors what happened, not with which values: those stand in DETAIL and CONTEXT."""
    if isinstance(context.original_exception, psycopg.Error):
        leave_out_values(context.original_exception, context.sqlalchemy_exception)


def leave_out_values(error: psycopg.Error, wrapped: BaseException | None) -> None:
    if error.diag.message_primary:
        error.args = (f"{error.diag.message_primary} ({error.sqlstate})",)
        if wrapped:
            wrapped.args = (f"({type(error).__name__}) {error.args[0]}",)
