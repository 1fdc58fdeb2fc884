"""The revocation feed's writing and reading end: one ordered log, one row a subject, the last change wins.

A change is appended last in its transaction, under a lock that is held to the commit: so its number tells its place
in commit order also with several writers, and a reader can never pass over one that is still to come.
"""

from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import delete, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from authz_sidecar.contract.feed import MAX_PAGE_CHANGES, Change, Cursor, Kind, Page
from control_plane.announcements import announce
from control_plane.models import FeedEpoch, RevocationChange

TOPIC: Final = "revocations"
_ADVISORY_LOCK: Final = 7_370_001
_FORGET_MARGIN: Final = timedelta(minutes=2)


async def append(db: AsyncSession, change: Change) -> None:
    """Add a change to the log, replacing an earlier one about the same subject."""
    if db.get_bind().dialect.name == "postgresql":
        await db.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ADVISORY_LOCK})
    row = RevocationChange
    await db.execute(delete(row).where(row.kind == change.kind.value, row.subject == change.id))
    db.add(
        RevocationChange(
            kind=change.kind.value,
            subject=change.id,
            revoked=change.revoked,
            not_before=change.not_before,
            at=datetime.fromtimestamp(change.at, UTC),
            expires_at=datetime.fromtimestamp(change.expires_at, UTC),
        )
    )
    await db.flush()
    announce(db, TOPIC)


async def read_page(db: AsyncSession, cursor_text: str, limit: int = MAX_PAGE_CHANGES) -> Page:
    """Return what comes after the cursor; a snapshot from its beginning when this log has no such place."""
    epoch = (await db.scalars(select(FeedEpoch.epoch))).one()
    cursor = Cursor.parse(cursor_text)
    if cursor is None or cursor.epoch != epoch:
        cursor = Cursor(epoch, 0, in_snapshot=True)
    rows = await _rows_after(db, cursor.n, limit + 1)
    more = len(rows) > limit
    reached = Cursor(epoch, rows[:limit][-1].n if rows else cursor.n)
    return Page(
        cursor=str(reached),
        changes=tuple(_change(row) for row in rows[:limit]),
        snapshot=cursor.in_snapshot,
        more=more,
        next=str(Cursor(epoch, reached.n, in_snapshot=True)) if more and cursor.in_snapshot else None,
    )


async def forget_expired(db: AsyncSession, now: datetime) -> None:
    """Drop the changes that no living token can meet any more, the gate's leeway and a slow clock included."""
    await db.execute(delete(RevocationChange).where(RevocationChange.expires_at < now - _FORGET_MARGIN))


async def _rows_after(db: AsyncSession, n: int, limit: int) -> list[RevocationChange]:
    query = select(RevocationChange).where(RevocationChange.n > n).order_by(RevocationChange.n).limit(limit)
    return list(await db.scalars(query))


def _change(row: RevocationChange) -> Change:
    return Change(
        kind=Kind(row.kind),
        id=row.subject,
        revoked=row.revoked,
        not_before=row.not_before,
        at=row.at.timestamp(),
        expires_at=row.expires_at.timestamp(),
    )
