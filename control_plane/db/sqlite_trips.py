"""SQLite connections that run most statements in one trip to their thread and back, instead of four.

So a redemption takes four trips, not twenty. Nothing else may differ from the driver's own connections: results that
are too large for one trip are fetched as they are read. This relies on private parts of aiosqlite; `?one_trip=false`
in DATABASE_URL uses aiosqlite as it is.
"""

import sqlite3
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, Final, Self

import aiosqlite
from sqlalchemy.engine import Dialect

_Row = tuple[Any, ...]
_FIRST_ROWS: Final = 256
_ROWS_PER_TRIP: Final = 64  # when more than the first rows are read


class TripCursor:
    """What SQLAlchemy needs of an asynchronous cursor."""

    arraysize = 1

    def __init__(self, run_in_thread: Callable[..., Awaitable[Any]], open_cursor: Callable[[], sqlite3.Cursor]) -> None:
        self._run_in_thread, self._open_cursor = run_in_thread, open_cursor
        self._cursor: sqlite3.Cursor | None = None  # only while there may be more rows than those fetched
        self._rows: deque[_Row] = deque()
        self.description: Any = None
        self.rowcount = -1
        self.lastrowid: int | None = None

    async def __aenter__(self) -> Self:
        return self

    async def execute(self, operation: str, parameters: Any = ()) -> None:
        await self._run_in_thread(self._run, lambda cursor: cursor.execute(operation, parameters))

    async def executemany(self, operation: str, parameters: Iterable[Any]) -> None:
        await self._run_in_thread(self._run, lambda cursor: cursor.executemany(operation, parameters))

    async def fetchone(self) -> _Row | None:
        rows = await self.fetchmany(1)
        return rows[0] if rows else None

    async def fetchmany(self, size: int | None = None) -> Sequence[_Row]:
        wanted = size or self.arraysize
        if len(self._rows) < wanted and self._cursor:
            await self._run_in_thread(self._fetch, self._cursor, max(wanted - len(self._rows), _ROWS_PER_TRIP))
        return [self._rows.popleft() for _ in range(min(wanted, len(self._rows)))]

    async def fetchall(self) -> Sequence[_Row]:
        if self._cursor:
            await self._run_in_thread(self._fetch, self._cursor, None)
        rows, self._rows = self._rows, deque()
        return rows

    async def close(self) -> None:
        if self._cursor:
            await self._run_in_thread(self._cursor.close)
            self._cursor = None

    def _run(self, work: Callable[[sqlite3.Cursor], Any]) -> None:
        """Run the statement and fetch the first rows; close the cursor if these are all. Runs in the thread."""
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
        """Fetch rows; drop the cursor if there are no more. Runs in the thread."""
        rows = cursor.fetchall() if at_most is None else cursor.fetchmany(at_most)
        self._rows.extend(rows)
        if at_most is None or len(rows) < at_most:
            self._cursor = None


class TripConnection(aiosqlite.Connection):
    def __init__(self, connector: Callable[[], sqlite3.Connection]) -> None:
        super().__init__(connector, _ROWS_PER_TRIP)
        self._thread.daemon = True  # like SQLAlchemy's own: a connection left open must not keep the process alive

    def cursor(self) -> TripCursor:  # type: ignore[override]
        return TripCursor(self._execute, self._open_cursor)

    async def run_all(self, statements: Iterable[tuple[str, Sequence[Any]]]) -> None:
        """Run statements that return no rows, all in one trip."""

        def work() -> None:
            for text, values in statements:
                self._conn.execute(text, values).close()

        await self._execute(work)  # type: ignore[no-untyped-call]

    def _open_cursor(self) -> sqlite3.Cursor:
        return self._conn.cursor()


async def _open(*args: Any, **options: Any) -> TripConnection:
    return await TripConnection(lambda: sqlite3.connect(*args, **options))  # type: ignore[return-value]


def connect(dialect: Dialect, _record: Any, args: Sequence[Any], options: dict[str, Any]) -> Any:
    """Open a connection; a handler of SQLAlchemy's event `do_connect`."""
    return dialect.connect(*args, **options, async_creator_fn=_open)
