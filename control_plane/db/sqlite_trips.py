"""SQLite connections that answer most statements in one trip to their thread and back, instead of four.

A redemption takes four trips so, not twenty. Nothing else may differ from the driver's own connections: results too
large for one trip are fetched as they are read.
"""

import sqlite3
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, Final, Self

import aiosqlite
from sqlalchemy.engine import Dialect

_Row = tuple[Any, ...]
_FIRST_ROWS: Final = 256
_ROWS_A_TRIP: Final = 64  # where somebody iterates over more than the first


class TripCursor:
    """What SQLAlchemy asks of an asynchronous cursor."""

    arraysize = 1

    def __init__(self, go: Callable[..., Awaitable[Any]], open_cursor: Callable[[], sqlite3.Cursor]) -> None:
        self._go, self._open_cursor = go, open_cursor
        self._cursor: sqlite3.Cursor | None = None  # only while there may be more rows than we hold
        self._rows: deque[_Row] = deque()
        self.description: Any = None
        self.rowcount = -1
        self.lastrowid: int | None = None

    async def __aenter__(self) -> Self:
        return self

    async def execute(self, operation: str, parameters: Any = ()) -> None:
        await self._go(self._run, lambda cursor: cursor.execute(operation, parameters))

    async def executemany(self, operation: str, parameters: Iterable[Any]) -> None:
        await self._go(self._run, lambda cursor: cursor.executemany(operation, parameters))

    async def fetchone(self) -> _Row | None:
        rows = await self.fetchmany(1)
        return rows[0] if rows else None

    async def fetchmany(self, size: int | None = None) -> Sequence[_Row]:
        wanted = size or self.arraysize
        if len(self._rows) < wanted and self._cursor:
            await self._go(self._fetch, self._cursor, max(wanted - len(self._rows), _ROWS_A_TRIP))
        return [self._rows.popleft() for _ in range(min(wanted, len(self._rows)))]

    async def fetchall(self) -> Sequence[_Row]:
        if self._cursor:
            await self._go(self._fetch, self._cursor, None)
        rows, self._rows = self._rows, deque()
        return rows

    async def close(self) -> None:
        if self._cursor:
            await self._go(self._cursor.close)
            self._cursor = None

    def _run(self, work: Callable[[sqlite3.Cursor], Any]) -> None:
        """In the thread: run the statement, take the first rows along, and be done if these are all."""
        cursor = self._open_cursor()
        try:
            work(cursor)
            self.description, self._cursor = cursor.description, cursor
            self._fetch(cursor, _FIRST_ROWS)
            self.rowcount, self.lastrowid = cursor.rowcount, cursor.lastrowid
            if self._cursor is None:
                cursor.close()
        except BaseException:
            cursor.close()
            self._cursor = None
            raise

    def _fetch(self, cursor: sqlite3.Cursor, at_most: int | None) -> None:
        """In the thread: take rows along; let go of the cursor when there are no more."""
        rows = cursor.fetchall() if at_most is None else cursor.fetchmany(at_most)
        self._rows.extend(rows)
        if at_most is None or len(rows) < at_most:
            self._cursor = None


class TripConnection(aiosqlite.Connection):
    def __init__(self, connector: Callable[[], sqlite3.Connection]) -> None:
        super().__init__(connector, _ROWS_A_TRIP)
        self._thread.daemon = True  # as SQLAlchemy's own are: a forgotten connection must not keep the process alive

    def cursor(self) -> TripCursor:  # type: ignore[override]
        return TripCursor(self._execute, self._open_cursor)

    async def run_all(self, statements: Iterable[tuple[str, Sequence[Any]]]) -> None:
        """Run statements that give no rows, all in one trip."""

        def work() -> None:
            for text, values in statements:
                self._conn.execute(text, values).close()

        await self._execute(work)  # type: ignore[no-untyped-call]

    def _open_cursor(self) -> sqlite3.Cursor:
        return self._conn.cursor()


async def _open(*args: Any, **options: Any) -> TripConnection:
    return await TripConnection(lambda: sqlite3.connect(*args, **options))  # type: ignore[return-value]


def connect(dialect: Dialect, _record: Any, args: Sequence[Any], options: dict[str, Any]) -> Any:
    """Open a connection: SQLAlchemy's event `do_connect`."""
    return dialect.connect(*args, **options, async_creator_fn=_open)
