"""The revocation feed's writing and reading end: one ordered log, one row per subject, the last change wins.

A change is appended last in its transaction, under a lock that is held to the commit: so its number tells its place
in commit order also with several writers, and a reader can never pass over one that is still to come.
"""

import json
import secrets
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple, TypeAlias

import anyio
import structlog
from sqlalchemy import Row, String, delete, func, select, text, type_coerce, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from authz_sidecar.contract.feed import MAX_PAGE_CHANGES, Change, Cursor, Kind, Page
from control_plane.db.announcements import announce
from control_plane.db.database import Database, Lock, hold
from control_plane.errors import NotFound
from control_plane.models import FeedEpoch, RevocationChange
from control_plane.revocations import feed_marks
from control_plane.tasks import idle

TOPIC: Final = "revocations"
_FORGET_MARGIN: Final = timedelta(minutes=2)
_LOOK_EVERY_SECONDS: Final = 0.2
_LOOK_SELDOM_SECONDS: Final = 5.0  # where the database itself tells of changes
_PAUSE_AFTER_FAILURE_SECONDS: Final = 5.0
_SQLITE_COUNTER: Final = "SELECT seq FROM sqlite_sequence WHERE name = 'revocation_change'"
_POSTGRESQL_COUNTER: Final = "SELECT last_value FROM revocation_change_n_seq"
log = structlog.get_logger()

# n, kind, subject, revoked, not before, at, expires at, until
_Row: TypeAlias = Row[int, str, str, bool, int | None, str, str, str | None]


class LogSetBack(Exception):
    """Somebody was at a place that this history never had: the database is an older one. Says which epoch it was."""


class EncodedPage(NamedTuple):
    """A page as it travels: no objects are made of the database's texts only to be texts again.

    A snapshot of a million changes is a hundred pages, and its reader waits for each of them.
    """

    page: Page
    rows: Sequence[_Row]

    @property
    def newest(self) -> datetime | None:
        """When the last change was made."""
        return datetime.fromisoformat(_iso(self.rows[-1][5])) if self.rows else None

    def body(self) -> bytes:
        """Return what Page.to_json would be as JSON."""
        heading = self.page.to_json() | {"changes": []}
        changes = ",".join(map(_on_the_wire, self.rows))
        return f"{json.dumps(heading).removesuffix(']}')}{changes}]}}".encode()


async def append(db: AsyncSession, change: Change) -> None:
    """Add a change to the log, replacing an earlier one about the same subject."""
    await append_all(db, [change])


async def append_all(db: AsyncSession, changes: Sequence[Change]) -> None:
    """Add changes of one kind to the log, in their order, replacing earlier ones about the same subjects."""
    if not changes:
        return
    await hold(db, Lock.FEED)  # before `n` is drawn
    of_kind, subjects = RevocationChange.kind == changes[0].kind.value, [change.id for change in changes]
    await db.execute(delete(RevocationChange).where(of_kind, RevocationChange.subject.in_(subjects)))
    rows = [_row(change) for change in changes]
    db.add_all(rows)
    await db.flush()
    await feed_marks.make(db, min(row.n for row in rows))
    announce(db, TOPIC)


async def head(db: AsyncSession) -> str:
    """Return the cursor of the newest change that this transaction sees: its own, once it has appended one."""
    return str(Cursor(await _epoch(db), await db.scalar(select(func.max(RevocationChange.n))) or 0))


async def find(db: AsyncSession, cursor_text: str) -> tuple[Cursor, datetime | None]:
    """Return a place in this log and when its change was made, None when it was replaced or forgotten since.

    Raise NotFound for a text that is no cursor, or one of another epoch.
    """
    cursor = Cursor.parse(cursor_text)
    if cursor is None or cursor.in_snapshot or cursor.epoch != await _epoch(db):
        raise NotFound
    return cursor, await db.scalar(select(RevocationChange.at).where(RevocationChange.n == cursor.n))


async def oldest_after(db: AsyncSession, cursor: Cursor) -> datetime | None:
    """Tell when the oldest change after a place was made, None when there is none."""
    return await db.scalar(select(func.min(RevocationChange.at)).where(RevocationChange.n > cursor.n))


async def read_page(db: AsyncSession, cursor_text: str, limit: int = MAX_PAGE_CHANGES) -> Page:
    """Return what comes after the cursor; a snapshot from its beginning when this log has no such place."""
    page, rows = await _read(db, cursor_text, limit)
    return replace(page, changes=tuple(map(_change, rows)))


async def read_answer(db: AsyncSession, cursor_text: str) -> "EncodedPage":
    """Return the same in the form in which it travels. Raise LogSetBack for a place that this log never gave out."""
    return EncodedPage(*await _read(db, cursor_text, MAX_PAGE_CHANGES))


async def begin_epoch(database: Database, epoch: str) -> None:
    """Name the history anew after `epoch`, so that every edge takes a snapshot: what came last in it is gone."""
    async with database.write() as db:
        await hold(db, Lock.FEED)
        fresh = secrets.token_hex(4)
        await db.execute(update(FeedEpoch).where(FeedEpoch.epoch == epoch).values(epoch=fresh))
        announce(db, TOPIC)
    log.error("feed_set_back", before=epoch, epoch=fresh)


async def watch(database: Database, stop: anyio.Event) -> None:
    """Wake those who wait here for changes that another process made, until `stop`: a command, another control plane.

    PostgreSQL tells of them by itself (listening.py); then this is for what may have been missed.
    A newest mark that is not there any more tells of a database that was set back, as by a failover that lost commits.
    Never cancel it: a transaction wants to be ended, not dropped.
    """
    seen, before, looked = "", Cursor("none", 0), float("-inf")
    while not stop.is_set():
        pause = _LOOK_SELDOM_SECONDS if database.announcements.hears_others else _LOOK_EVERY_SECONDS
        try:
            if await database.may_have_changed() or time.monotonic() - looked > _LOOK_SELDOM_SECONDS:
                newest, before = await _look(database, before)
                looked = time.monotonic()
                if newest != seen:
                    database.announcements.wake([TOPIC])
                seen = newest
        except SQLAlchemyError as error:
            log.error("feed_not_watched", error=type(error).__name__)
            looked, pause = float("-inf"), _PAUSE_AFTER_FAILURE_SECONDS
        await idle(pause, stop)


async def _look(database: Database, before: Cursor) -> tuple[str, Cursor]:
    """Return the newest change and the newest mark; begin a new epoch when the mark before is gone."""
    async with database.read() as db:
        newest, marked = await head(db), await feed_marks.newest(db, await _epoch(db))
        is_set_back = marked.epoch == before.epoch and await feed_marks.is_elsewhere(db, before)
    if is_set_back:
        await begin_epoch(database, marked.epoch)
    return newest, marked


async def forget_expired(db: AsyncSession, now: datetime) -> None:
    """Drop the changes that no living token can meet any more, the gate's leeway and a slow clock included."""
    await hold(db, Lock.FEED)  # or it and somebody who appends twice could wait for each other's rows
    await db.execute(delete(RevocationChange).where(RevocationChange.expires_at < now - _FORGET_MARGIN))
    await feed_marks.forget(db)


async def _epoch(db: AsyncSession) -> str:
    return (await db.scalars(select(FeedEpoch.epoch))).one()


async def _read(db: AsyncSession, cursor_text: str, limit: int) -> tuple[Page, Sequence[_Row]]:
    epoch = await _epoch(db)
    cursor = Cursor.parse(cursor_text)
    if cursor is None or cursor.epoch != epoch:
        cursor = Cursor(epoch, 0, in_snapshot=True)
    elif cursor.n > await _last_given(db) or await feed_marks.is_elsewhere(db, cursor):
        raise LogSetBack(epoch)
    found = await _rows_after(db, cursor.n, limit + 1)
    rows, more = found[:limit], len(found) > limit
    reached = Cursor(epoch, rows[-1].n if rows else cursor.n)
    following = str(Cursor(epoch, reached.n, in_snapshot=True)) if more and cursor.in_snapshot else None
    mark = await feed_marks.at(db, reached.n)
    return Page(str(reached), (), cursor.in_snapshot, more, following, mark=mark), rows


async def _last_given(db: AsyncSession) -> int:
    """Return the last number that was given out, whether or not its change is still there."""
    is_sqlite = db.get_bind().dialect.name == "sqlite"
    return await db.scalar(text(_SQLITE_COUNTER if is_sqlite else _POSTGRESQL_COUNTER)) or 0


async def _rows_after(db: AsyncSession, n: int, limit: int) -> Sequence[_Row]:
    """Read columns, not objects: ten thousand of those take far longer. Times come as the driver gives them."""
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


def _on_the_wire(row: _Row) -> str:
    """Do what Change.to_json does, without the detour."""
    _, kind, subject, revoked, not_before, at, expires_at, until = row
    opens = "" if until is None else f',"until":"{_iso(until)}"'
    since = "null" if not_before is None else f'"{datetime.fromtimestamp(not_before, UTC).isoformat()}"'
    return (
        f'{{"kind":"{kind}","id":{json.dumps(subject)},"revoked":{"true" if revoked else "false"},'
        f'"notBefore":{since},"at":"{_iso(at)}","expiresAt":"{_iso(expires_at)}"{opens}}}'
    )


def _iso(time: datetime | str) -> str:
    """Write a time as the driver gave it: SQLite's is a text, UTC without saying so; PostgreSQL's knows its zone."""
    return f"{time[:10]}T{time[11:]}+00:00" if isinstance(time, str) else time.isoformat()


def _seconds(time: datetime | str) -> float:
    return datetime.fromisoformat(_iso(time)).timestamp()
