"""Going on with a session: after a reload, or when a page finds that its session is over though nobody ended it.

Each tab goes on with its own session. All tabs of a browser share one resume secret, so that tickets of several events
live side by side; which session is meant, the tab says.
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
from control_plane.end_reasons import MEANT, EndReason
from control_plane.errors import NoSession
from control_plane.models import ViewingSession
from control_plane.sessions import redeeming, sessions
from control_plane.sessions.sessions import Device, Grant, SeatRequest, SeatRules
from control_plane.tickets import tickets


@dataclass(frozen=True, slots=True)
class Tab:
    """What a page shows of the session that it watched with: the claims of its token, or after a reload the sid.

    Only the page itself has the token, so it can speak for its session where a browser sends no cookie. A sid alone is
    a name and proves nothing: the session must be of the browser's resume secret. With neither it is the browser's last
    session, as older pages ask for it.
    """

    claims: Claims | None = None
    sid: str | None = None


LAST: Final = Tab()


async def resume(db: AsyncSession, device: Device, rules: SeatRules, now: datetime, tab: Tab = LAST) -> Grant:
    """Go on: end the session that the page had and begin a new one.

    Raise NoSession, TokenUnusable, SessionOver (SessionTakenOver) where somebody meant it to end, an admission refusal
    or TicketInUse. What another tab replaced goes on after a reload, which is a wish of the viewer's, never by itself.
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
    if tab.claims:  # by itself, so it takes no seat from another tab
        attempt = replace(attempt, device=replace(device, resume_secret=None), kept_hash=last.resume_hash)
    if last.end_reason in (MEANT if tab.claims else MEANT - {EndReason.REPLACED}):
        raise sessions.why_over(last)
    return await redeeming.begin(db, attempt)


async def _session_of(db: AsyncSession, device: Device, tab: Tab, now: datetime) -> ViewingSession:
    """Raise NoSession, TokenUnusable, or SessionOver for one whose ticket was deleted."""
    if tab.claims:
        sessions.check_grace(tab.claims, now)
        return await sessions.known(db, tab.claims)
    secret = device.resume_secret
    if secret is None:
        raise NoSession
    last = await (_named(db, tab.sid, secret) if tab.sid else sessions.last_session(db, secret))
    if last is None:
        raise NoSession
    return last


async def _named(db: AsyncSession, sid: str, secret: str) -> ViewingSession | None:
    own = ViewingSession.sid == sid, ViewingSession.resume_hash == sessions.digest(secret)
    return await db.scalar(select(ViewingSession).where(*own))
