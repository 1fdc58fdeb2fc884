"""Marks of the log's history: a random word per append, to distinguish a place in another history from one in this.

Numbers alone are not enough: a database that was set back to an earlier state assigns the same ones again. A mark
applies from its own place to the next mark, even after the changes there were replaced or deleted.
"""

import secrets

from sqlalchemy import delete, func, insert, select
from sqlalchemy.ext.asyncio import AsyncSession

from authz_sidecar.contract.feed import Cursor
from control_plane.tables import FeedMark, RevocationChange

_BYTES = 4


async def make(db: AsyncSession, n: int) -> None:
    """Mark an append that begins at this place."""
    await db.execute(insert(FeedMark).values(n=n, mark=secrets.token_hex(_BYTES)))


async def at(db: AsyncSession, n: int) -> str | None:
    """Return the mark that applies at a place; None if marks of that age have been deleted."""
    return await db.scalar(select(FeedMark.mark).where(FeedMark.n <= n).order_by(FeedMark.n.desc()).limit(1))


async def newest(db: AsyncSession, epoch: str) -> Cursor:
    """Return the place of the newest mark. There is always one: the first is created with the table."""
    n, mark = (await db.execute(select(FeedMark.n, FeedMark.mark).order_by(FeedMark.n.desc()).limit(1))).one()
    return Cursor(epoch, n, mark=mark)


async def is_elsewhere(db: AsyncSession, place: Cursor) -> bool:
    """Return whether a place is certainly in another history than this log's."""
    return place.mark is not None and await at(db, place.n) not in (None, place.mark)


async def forget(db: AsyncSession) -> None:
    """Delete the marks before the oldest kept change: a follower that is behind them gets all changes anyway."""
    oldest = select(func.min(RevocationChange.n)).scalar_subquery()
    applies_there = func.coalesce(FeedMark.n <= oldest, True)
    first = select(func.max(FeedMark.n)).where(applies_there).scalar_subquery()
    await db.execute(delete(FeedMark).where(FeedMark.n < first))
