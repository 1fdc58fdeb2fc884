"""End many sessions at once, always in this order: lock, end, notify webhooks. sessions.py ends a single one.

The caller writes the entries of the feed and the audit log: one of each covers all of the sessions.
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
    """End the live sessions among these. Return the sid and the ticket id of each."""
    live = await hold_live(db, which)
    values = {"ended_at": now, "end_reason": reason.value, "seen_until": ViewingSession.last_seen_at}
    await db.execute(update(ViewingSession).where(which, ViewingSession.ended_at.is_(None)).values(values))
    await news.report_sessions(db, Topic.SESSION_ENDED, [sid for sid, _ in live], now, reason)
    return live


async def hold_live(db: AsyncSession, which: ColumnElement[bool]) -> Sequence[Row[str, str]]:
    """Lock the live sessions among these, in a fixed order.

    No other transaction begins or ends one of them until this one is done.
    """
    await db.flush()
    live = select(ViewingSession.sid, ViewingSession.ticket_id).where(which, ViewingSession.ended_at.is_(None))
    return (await db.execute(live.order_by(ViewingSession.sid).with_for_update())).all()


def record(
    db: AsyncSession, number: int, reason: EndReason, now: datetime, *, event_id: str, ticket_id: str | None = None
) -> None:
    """Record in one audit entry that `number` sessions were ended; the sessions themselves say which ones, and when."""
    if number:
        about = audit.About(None, event_id, ticket_id, {"reason": reason.value, "sessions": number})
        audit.record(db, Actor.system(), audit.END, now, about)


async def latest_expiry(db: AsyncSession, which: ColumnElement[bool], now: datetime) -> int:
    """Return the latest `exp` of these sessions' tokens: an entry about them must be kept until then."""
    newest = await db.scalar(select(func.max(ViewingSession.token_expires_at)).where(which))
    return max(newest or 0, int(now.timestamp()) + 1)
