"""The limit of repeated take-overs: two people with one ticket must not be able to share it by taking turns."""

from datetime import datetime, timedelta
from math import ceil
from typing import Final

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from control_plane.end_reasons import EndReason
from control_plane.tables import ViewingSession

MOST: Final = 4
WITHIN: Final = timedelta(minutes=10)


async def pause(db: AsyncSession, ticket_id: str, now: datetime) -> int:
    """Return in how many seconds a ticket may be taken over again: 0 unless the limit was reached recently."""
    session, since = ViewingSession, now - WITHIN
    recent = select(session.ended_at).where(
        session.ticket_id == ticket_id, session.end_reason == EndReason.TAKEN_OVER, session.ended_at > since
    )
    times = (await db.scalars(recent.order_by(session.ended_at.desc()).limit(MOST))).all()
    return ceil((times[-1] - since).total_seconds()) if len(times) == MOST and times[-1] else 0
