"""Resuming a session: after a reload, or when a page finds that its session is over although nobody ended it.

Each tab resumes its own session. All tabs of a browser share one resume secret, so that tickets of several events can
be used side by side; the tab says which session it means.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from authz_sidecar.contract.playback_token import Claims
from control_plane.access import audit
from control_plane.access.actors import Actor
from control_plane.access.audit import Intent
from control_plane.digests import digest
from control_plane.end_reasons import INTENDED, EndReason
from control_plane.errors import NoSession
from control_plane.sessions import redeeming, sessions
from control_plane.sessions.sessions import Device, Grant, SeatRequest, SeatRules
from control_plane.tables import ViewingSession
from control_plane.tickets import tickets


@dataclass(frozen=True, slots=True)
class Tab:
    """How a page identifies the session that it was watching: by the claims of its token, or by the sid after a reload.

    Only the page itself has the token, so it can act for its session where a browser sends no cookie. A sid alone is a
    name and proves nothing: the session must belong to the browser's resume secret. With neither of them it is the
    browser's last session, which is what older pages ask for.
    """

    claims: Claims | None = None
    sid: str | None = None


LAST: Final = Tab()


async def resume(db: AsyncSession, device: Device, rules: SeatRules, now: datetime, tab: Tab = LAST) -> Grant:
    """End the session that the page had and begin a new one.

    Raise NoSession, TokenUnusable, SessionOver (SessionTakenOver) if it was ended on purpose, an admission refusal or
    TicketInUse. A session that another tab replaced is resumed by a reload, which the viewer asks for, but never
    automatically.
    """
    last = await _session_of(db, device, tab, now)
    ticket, event = await tickets.hold(db, last.ticket_id)
    await sessions.live_of(db, ticket.id)
    await db.refresh(last)
    tickets.check_admission(ticket, event, now)
    attempt = SeatRequest(
        ticket,
        event,
        device,
        rules,
        now,
        takeover=False,
        replaces=last,
        approved_by=last.approved_by,
        intent=Intent(Actor.viewer(device.address), audit.RESUME),
    )
    if tab.claims:  # automatic, so it takes no seat from another tab
        attempt = replace(attempt, device=replace(device, resume_secret=None), kept_hash=last.resume_hash)
    if last.end_reason in (INTENDED if tab.claims else INTENDED - {EndReason.REPLACED}):
        raise sessions.why_over(last)
    return await redeeming.begin(db, attempt)


async def _session_of(db: AsyncSession, device: Device, tab: Tab, now: datetime) -> ViewingSession:
    """Return the session to resume. Raise NoSession, TokenUnusable, or SessionOver if it no longer exists."""
    if tab.claims:
        sessions.check_grace(tab.claims, now)
        return await sessions.known(db, tab.claims)
    secret = device.resume_secret
    if secret is None:
        raise NoSession
    last = await (_session_by_sid(db, tab.sid, secret) if tab.sid else sessions.last_session(db, secret))
    if last is None:
        raise NoSession
    return last


async def _session_by_sid(db: AsyncSession, sid: str, secret: str) -> ViewingSession | None:
    conditions = ViewingSession.sid == sid, ViewingSession.resume_hash == digest(secret)
    return await db.scalar(select(ViewingSession).where(*conditions))
