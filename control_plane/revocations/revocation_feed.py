"""The revocation feed: writing and reading one ordered log, with one row per subject; the last change wins.

A change is appended last in its transaction, under a lock that is held until the commit: so numbers are in commit order
even with several writers, and a reader can never skip a change that is yet to be committed.
"""

import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple, TypeAlias

import anyio
import structlog
from sqlalchemy import Row, String, delete, func, select, text, type_coerce, update
from sqlalchemy.ext.asyncio import AsyncSession

from authz_sidecar.contract.feed import MAX_PAGE_CHANGES, Change, Cursor, FeedPage, Kind
from control_plane.db.announcements import announce
from control_plane.db.database import Database, Lock, hold
from control_plane.errors import NotFound
from control_plane.revocations import feed_marks
from control_plane.tables import FeedEpoch, RevocationChange
from control_plane.tasks import repeat

TOPIC: Final = "revocations"
_FORGET_MARGIN: Final = timedelta(minutes=2)
_POLL_SECONDS: Final = 0.2
_SLOW_POLL_SECONDS: Final = 5.0  # if notices of changes arrive
_PAUSE_AFTER_FAILURE_SECONDS: Final = 5.0
_SQLITE_COUNTER: Final = "SELECT seq FROM sqlite_sequence WHERE name = 'revocation_change'"
_POSTGRESQL_COUNTER: Final = "SELECT last_value FROM revocation_change_n_seq"
log = structlog.get_logger()

# n, kind, subject, revoked, not before, at, expires at, until
_Row: TypeAlias = Row[int, str, str, bool, int | None, str, str, str | None]


class LogSetBack(Exception):
    """A cursor names a place that this log never had: the database was set back. The text is the log's epoch."""


class EncodedPage(NamedTuple):
    """A page in the form in which it is sent: the database's strings are not parsed only to be formatted again.

    A snapshot of a million changes is a hundred pages, and its reader waits for each of them.
    """

    page: FeedPage
    rows: Sequence[_Row]

    @property
    def newest(self) -> datetime | None:
        """The time of the last change; None if there is none."""
        return datetime.fromisoformat(_iso(self.rows[-1][5])) if self.rows else None

    def body(self) -> bytes:
        """Return the same JSON as from FeedPage.to_json, encoded."""
        heading = self.page.to_json() | {"changes": []}
        changes = ",".join(map(_encoded, self.rows))
        return f"{json.dumps(heading).removesuffix(']}')}{changes}]}}".encode()


async def append(db: AsyncSession, change: Change) -> None:
    """Add a change to the log, replacing an earlier one about the same subject."""
    await append_all(db, [change])


async def append_all(db: AsyncSession, changes: Sequence[Change]) -> None:
    """Add changes of one kind to the log, in their order, replacing earlier ones about the same subjects."""
    if not changes:
        return
    await hold(db, Lock.FEED)  # before `n` is assigned
    of_kind, subjects = RevocationChange.kind == changes[0].kind.value, [change.id for change in changes]
    await db.execute(delete(RevocationChange).where(of_kind, RevocationChange.subject.in_(subjects)))
    rows = [_row(change) for change in changes]
    db.add_all(rows)
    await db.flush()
    await feed_marks.make(db, min(row.n for row in rows))
    announce(db, TOPIC)


async def head(db: AsyncSession) -> str:
    """Return the cursor of the newest change that this transaction sees, including its own."""
    return str(Cursor(await _epoch(db), await db.scalar(select(func.max(RevocationChange.n))) or 0))


async def find(db: AsyncSession, cursor_text: str) -> tuple[Cursor, datetime | None]:
    """Return a place in this log and when its change was made, None if that was replaced or deleted since.

    Raise NotFound if the text is not a cursor, or one of another epoch.
    """
    cursor = Cursor.parse(cursor_text)
    if cursor is None or cursor.in_snapshot or cursor.epoch != await _epoch(db):
        raise NotFound
    return cursor, await db.scalar(select(RevocationChange.at).where(RevocationChange.n == cursor.n))


async def oldest_after(db: AsyncSession, cursor: Cursor) -> datetime | None:
    """Return when the oldest change after a place was made, None if there is none."""
    return await db.scalar(select(func.min(RevocationChange.at)).where(RevocationChange.n > cursor.n))


async def read_page(db: AsyncSession, cursor_text: str, limit: int = MAX_PAGE_CHANGES) -> FeedPage:
    """Return what comes after the cursor; a snapshot from its beginning if this log has no such place."""
    page, rows = await _read(db, cursor_text, limit)
    return replace(page, changes=tuple(map(_change, rows)))


async def read_encoded_page(db: AsyncSession, cursor_text: str) -> "EncodedPage":
    """Return the same in the form in which it is sent. Raise LogSetBack for a place that this log never had."""
    return EncodedPage(*await _read(db, cursor_text, MAX_PAGE_CHANGES))


async def begin_epoch(database: Database, epoch: str) -> None:
    """Replace `epoch` by a new one, so that every edge takes a snapshot: the last changes of the old one are lost."""
    async with database.write() as db:
        await hold(db, Lock.FEED)
        fresh = secrets.token_hex(4)
        await db.execute(update(FeedEpoch).where(FeedEpoch.epoch == epoch).values(epoch=fresh))
        announce(db, TOPIC)
    log.error("feed_set_back", before=epoch, epoch=fresh)


async def watch(database: Database, stop: anyio.Event) -> None:
    """Wake waiting tasks for changes of another process that no notice has come for (listening.py), until `stop`.

    If the newest mark has disappeared, the database was set back, as by a failover that lost commits.
    """

    def pause() -> float:
        return _SLOW_POLL_SECONDS if database.announcements.receives_notices else _POLL_SECONDS

    def on_failure(error: str) -> None:
        log.error("feed_not_watched", error=error)

    await repeat(_Poll(database).check, pause, stop, on_failure, _PAUSE_AFTER_FAILURE_SECONDS)


@dataclass
class _Poll:
    """What was seen last."""

    database: Database
    newest: str = ""
    mark: Cursor = field(default_factory=lambda: Cursor("none", 0))

    async def check(self) -> None:
        newest, self.mark = await _poll(self.database, self.mark)
        if newest != self.newest:
            self.database.announcements.wake([TOPIC])
        self.newest = newest


async def _poll(database: Database, before: Cursor) -> tuple[str, Cursor]:
    """Return the newest change and the newest mark; begin a new epoch if the mark `before` has disappeared."""
    async with database.read() as db:
        newest, marked = await head(db), await feed_marks.newest(db, await _epoch(db))
        is_set_back = marked.epoch == before.epoch and await feed_marks.is_elsewhere(db, before)
    if is_set_back:
        await begin_epoch(database, marked.epoch)
    return newest, marked


async def forget_expired(db: AsyncSession, now: datetime) -> None:
    """Delete the changes that apply to no valid token any more, allowing for the gate's leeway and a slow clock."""
    await hold(db, Lock.FEED)  # otherwise this and a transaction that appends twice could deadlock
    await db.execute(delete(RevocationChange).where(RevocationChange.expires_at < now - _FORGET_MARGIN))
    await feed_marks.forget(db)


async def _epoch(db: AsyncSession) -> str:
    return (await db.scalars(select(FeedEpoch.epoch))).one()


async def _read(db: AsyncSession, cursor_text: str, limit: int) -> tuple[FeedPage, Sequence[_Row]]:
    epoch = await _epoch(db)
    cursor = Cursor.parse(cursor_text)
    if cursor is None or cursor.epoch != epoch:
        cursor = Cursor(epoch, 0, in_snapshot=True)
    elif cursor.n > await _last_number(db) or await feed_marks.is_elsewhere(db, cursor):
        raise LogSetBack(epoch)
    found = await _rows_after(db, cursor.n, limit + 1)
    rows, more = found[:limit], len(found) > limit
    reached = Cursor(epoch, rows[-1].n if rows else cursor.n)
    following = str(Cursor(epoch, reached.n, in_snapshot=True)) if more and cursor.in_snapshot else None
    mark = await feed_marks.at(db, reached.n)
    return FeedPage(str(reached), (), cursor.in_snapshot, more, following, mark=mark), rows


async def _last_number(db: AsyncSession) -> int:
    """Return the last number that was assigned, whether or not its change still exists."""
    is_sqlite = db.get_bind().dialect.name == "sqlite"
    return await db.scalar(text(_SQLITE_COUNTER if is_sqlite else _POSTGRESQL_COUNTER)) or 0


async def _rows_after(db: AsyncSession, n: int, limit: int) -> Sequence[_Row]:
    """Read columns, not objects: ten thousand objects take far longer. Times are as the driver returns them."""
    row = RevocationChange
    times = type_coerce(row.at, String), type_coerce(row.expires_at, String), type_coerce(row.until, String)
    columns = row.n, row.kind, row.subject, row.revoked, row.not_before, *times
    return (await db.execute(select(*columns).where(row.n > n).order_by(row.n).limit(limit))).all()


def _row(change: Change) -> RevocationChange:
    return RevocationChange(
        kind=change.kind.value,
        subject=change.id,
        revoked=change.revoked,
        not_before=change.not_before,
        at=datetime.fromtimestamp(change.at, UTC),
        expires_at=datetime.fromtimestamp(change.expires_at, UTC),
        until=None if change.until is None else datetime.fromtimestamp(change.until, UTC),
    )


def _change(row: _Row) -> Change:
    _, kind, subject, revoked, not_before, at, expires_at, until = row
    opens = None if until is None else _seconds(until)
    return Change(Kind(kind), subject, revoked, not_before, _seconds(at), _seconds(expires_at), opens)


def _encoded(row: _Row) -> str:
    """Return the same JSON as from Change.to_json, without creating a Change."""
    _, kind, subject, revoked, not_before, at, expires_at, until = row
    opens = "" if until is None else f',"until":"{_iso(until)}"'
    since = "null" if not_before is None else f'"{datetime.fromtimestamp(not_before, UTC).isoformat()}"'
    return (
        f'{{"kind":"{kind}","id":{json.dumps(subject)},"revoked":{"true" if revoked else "false"},'
        f'"notBefore":{since},"at":"{_iso(at)}","expiresAt":"{_iso(expires_at)}"{opens}}}'
    )


def _iso(time: datetime | str) -> str:
    """Format a time from the driver: a string in UTC without a zone on SQLite, an aware datetime on PostgreSQL."""
    return f"{time[:10]}T{time[11:]}+00:00" if isinstance(time, str) else time.isoformat()


def _seconds(time: datetime | str) -> float:
    return datetime.fromisoformat(_iso(time)).timestamp()
