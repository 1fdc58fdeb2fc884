"""Marks of the log's history: a random word for each append, by which a place in another history is told from one here.

Numbers alone do not tell: a database that was set back to an earlier state gives out the same ones again. A mark holds
from its own place to the next mark, also after the changes there were replaced or forgotten.
"""

import secrets

from sqlalchemy import delete, func, insert, select
from sqlalchemy.ext.asyncio import AsyncSession

from authz_sidecar.contract.feed import Cursor
from control_plane.models import FeedMark, RevocationChange

_BYTES = 4


async def make(db: AsyncSession, n: int) -> None:
    """Mark an append that begins at this place."""
    await db.execute(insert(FeedMark).values(n=n, mark=secrets.token_hex(_BYTES)))


async def at(db: AsyncSession, n: int) -> str | None:
    """Return the mark that holds at a place; None where all that old are forgotten."""
    return await db.scalar(select(FeedMark.mark).where(FeedMark.n <= n).order_by(FeedMark.n.desc()).limit(1))


async def newest(db: AsyncSession, epoch: str) -> Cursor:
    """Return the place of the newest mark. There is always one: the first comes with the table."""
    n, mark = (await db.execute(select(FeedMark.n, FeedMark.mark).order_by(FeedMark.n.desc()).limit(1))).one()
    return Cursor(epoch, n, mark=mark)


async def is_elsewhere(db: AsyncSession, place: Cursor) -> bool:
    """Tell whether a place is certainly of another history than this log's."""
    return place.mark is not None and await at(db, place.n) not in (None, place.mark)


async def forget(db: AsyncSession) -> None:
    """Drop the marks from before the oldest change that is kept: who has come no further gets all that there is."""
    oldest = select(func.min(RevocationChange.n)).scalar_subquery()
    holds_there = func.coalesce(FeedMark.n <= oldest, True)
    first = select(func.max(FeedMark.n)).where(holds_there).scalar_subquery()
    await db.execute(delete(FeedMark).where(FeedMark.n < first))
