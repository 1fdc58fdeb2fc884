"""Connections to the databases: SQLite's pragmas and its BEGIN, PostgreSQL's time-outs and pools.

Nothing may wait forever for a lock or an unreachable server, and no value of a row or parameter (a code, a digest) may
appear in the text of an error, because that is logged.
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
    f"busy_timeout={_BUSY_TIMEOUT_MS}",  # first: the other pragmas may have to wait, too
    "journal_mode=WAL",
    "synchronous=FULL",
    "foreign_keys=ON",
)
_CONNECTIONS: Final = 10  # per process and purpose: more would only wait for each other's locks

# libpq's parameters. A server that vanished without closing the connection is given up after half a minute.
_PARAMETERS: Final = {
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

    Readers see one state of the database for as long as they read, and may be idle: an export is as fast as its client.
    An idle writer blocks others and is disconnected. What an operator started has no time-outs.
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
    """Return whether an OperationalError or similar means that the database is unavailable or too busy.

    SQLite raises OperationalError for an invalid statement, too.
    """
    return getattr(getattr(error, "orig", None), "sqlite_errorcode", None) != sqlite3.SQLITE_ERROR


def direct_arguments(engine: AsyncEngine) -> dict[str, Any]:
    """Return the arguments with which psycopg itself connects to the same PostgreSQL."""
    _, arguments = engine.dialect.create_connect_args(engine.url)
    return {**arguments, **_connect_arguments(engine.url, Purpose.MAINTENANCE)}


def _connect_arguments(url: URL, purpose: Purpose) -> dict[str, Any]:
    """Return psycopg's arguments in addition to those in the URL, which take precedence."""
    ours = {"timezone": "UTC"} | purpose.value
    options = " ".join(f"-c {name}={value}" for name, value in ours.items())
    theirs = url.query.get("options", "")
    arguments: dict[str, Any] = {name: value for name, value in _PARAMETERS.items() if name not in url.query}
    return arguments | {"options": f"{options} {theirs}".strip()}


def _sqlite(url: URL) -> AsyncEngine:
    engine = create_async_engine(url.difference_update_query(["one_trip"]), hide_parameters=True)
    event.listen(engine.sync_engine, "do_connect", _make_private)
    if url.query.get("one_trip") != "false":
        event.listen(engine.sync_engine, "do_connect", sqlite_trips.connect)
    event.listen(engine.sync_engine, "connect", _prepare_sqlite)
    event.listen(engine.sync_engine, "begin", _begin_sqlite)
    return engine


def _make_private(_dialect: Any, _record: Any, arguments: Any, _settings: Any) -> None:
    """Create a new file for its owner only, in whatever folder; SQLite's files beside it get the same permissions."""
    path = str(arguments[0])
    if path and not path.startswith((":", "file:")):
        with suppress(FileExistsError, OSError):  # SQLite reports it better
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))


def _prepare_sqlite(dbapi_connection: Any, _record: Any) -> None:
    dbapi_connection.isolation_level = None  # SQLAlchemy begins transactions, see _begin_sqlite
    cursor = dbapi_connection.cursor()
    for pragma in _PRAGMAS:
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    connection.exec_driver_sql(connection.get_execution_options().get("sqlite_begin", "BEGIN"))


def _postgresql(url: URL, purpose: Purpose) -> AsyncEngine:
    is_maintenance = purpose is Purpose.MAINTENANCE
    # No overflow: opening and closing connections under load costs more than waiting for a pooled one.
    pool: dict[str, Any] = {"poolclass": NullPool} if is_maintenance else {"pool_size": _CONNECTIONS, "max_overflow": 0}
    engine = create_async_engine(
        url,
        connect_args=_connect_arguments(url, purpose),
        hide_parameters=True,
        use_native_hstore=False,  # otherwise each new connection queries a type that is not used
        **pool,
    )
    event.listen(engine.sync_engine, "handle_error", _leave_out_values)
    event.listen(engine.sync_engine, "checkout", _drop_closed)
    return engine


def _drop_closed(dbapi_connection: Any, _record: Any, _proxy: Any) -> None:
    """Discard a connection that the server has closed, and the whole pool: an idle connection has nothing to read.

    Polling the socket costs nothing; `pool_pre_ping` costs as much as the query that follows. Neither detects a server
    that vanished without closing the connection.
    """
    poller = select.poll()
    poller.register(dbapi_connection.driver_connection.fileno(), select.POLLIN)
    if poller.poll(0):
        raise InvalidatePoolError


def _leave_out_values(context: ExceptionContext) -> None:
    """Reduce PostgreSQL's errors to the primary message: DETAIL and CONTEXT contain values."""
    if isinstance(context.original_exception, psycopg.Error):
        leave_out_values(context.original_exception, context.sqlalchemy_exception)


def leave_out_values(error: psycopg.Error, wrapped: BaseException | None) -> None:
    if error.diag.message_primary:
        error.args = (f"{error.diag.message_primary} ({error.sqlstate})",)
        if wrapped:
            wrapped.args = (f"({type(error).__name__}) {error.args[0]}",)
