"""EndReason many sessions at once, always in this order: held, ended, told to webhooks. One alone ends in sessions.py.

The feed's entry and the audit log's are the caller's: one entry says it of all of them.
"""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, Row, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from control_plane.access import audit
from control_plane.access.actors import Actor
from control_plane.end_reasons import EndReason
from control_plane.models import ViewingSession
from control_plane.webhooks import news
from control_plane.webhooks.outbox import Topic


async def end_all(
    db: AsyncSession, which: ColumnElement[bool], reason: EndReason, now: datetime
) -> Sequence[Row[str, str]]:
    """End the live ones of these sessions. Return the sid and the ticket's id of each."""
    live = await hold_live(db, which)
    values = {"ended_at": now, "end_reason": reason.value, "seen_until": ViewingSession.last_seen_at}
    await db.execute(update(ViewingSession).where(which, ViewingSession.ended_at.is_(None)).values(values))
    await news.of_sessions(db, Topic.SESSION_ENDED, [sid for sid, _ in live], now, reason)
    return live


async def hold_live(db: AsyncSession, which: ColumnElement[bool]) -> Sequence[Row[str, str]]:
    """Hold the live ones of these sessions, all in one order: nobody begins or ends one until we are done."""
    await db.flush()
    live = select(ViewingSession.sid, ViewingSession.ticket_id).where(which, ViewingSession.ended_at.is_(None))
    return (await db.execute(live.order_by(ViewingSession.sid).with_for_update())).all()


def record(
    db: AsyncSession, number: int, reason: EndReason, now: datetime, *, event_id: str, ticket_id: str | None = None
) -> None:
    """Say with one audit entry that so many sessions are over: which ones, and when, is told by the sessions."""
    if number:
        about = audit.About(None, event_id, ticket_id, {"reason": reason.value, "sessions": number})
        audit.record(db, Actor.system(), audit.END, now, about)


async def latest_expiry(db: AsyncSession, which: ColumnElement[bool], now: datetime) -> int:
    """Return the newest `exp` of these sessions' tokens: until then an entry about them must be kept."""
    newest = await db.scalar(select(func.max(ViewingSession.token_expires_at)).where(which))
    return max(newest or 0, int(now.timestamp()) + 1)
