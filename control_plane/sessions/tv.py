"""Watch on TV: a separate session for a player that can be given nothing but a URL.

It takes a seat like any device; if none is free, the page's own session is lent to it and the page pauses. The URL
contains a token that is valid until the ticket's end, so it must not appear in any log or stored page.
"""

import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from authz_sidecar.contract.playback_token import Claims
from control_plane.access.actors import Actor
from control_plane.digests import digest
from control_plane.end_reasons import EndReason
from control_plane.errors import TicketInUse, TokenUnusable
from control_plane.sessions import ending, last_seen, redeeming, sessions
from control_plane.sessions.sessions import Device, SeatRequest, SeatRules
from control_plane.tables import Event, LastSeen, Ticket, ViewingSession
from control_plane.tickets import tickets
from control_plane.webhooks import news
from control_plane.webhooks.outbox import Topic

CARRIER: Final = "path"
SHOWN_AS: Final = "Watch on TV"  # until the gate has seen the TV's own user agent


@dataclass(frozen=True, slots=True)
class Link:
    """The claims of the URL's token, and whether they are those of the page's own session."""

    ticket: Ticket
    claims: Claims
    is_own_session: bool


async def link(
    db: AsyncSession, claims: Claims, address: str, rules: SeatRules, now: datetime, *, own: bool = False
) -> Link:
    """Return the TV's link for the page with these claims; asking again takes no second seat.

    `own` requests the page's own session: AirPlay shows on another screen what this page plays, not a second device.

    Raise TokenUnusable (an expired token, or a TV's own), SessionOver, SessionTakenOver or an admission refusal.
    """
    page, ticket, event = await _page(db, claims, now)
    tickets.check_admission(ticket, event, now)
    last_seen.note(page, now)
    attempt = SeatRequest(ticket, event, Device(address, SHOWN_AS), rules, now, takeover=False)
    session = page if own else await _linked_tv(db, page) or await _begin(db, attempt, page) or page
    granted = Link(ticket, _claims(session, ticket, event, now), session is page)
    await last_seen.move(db, dict.fromkeys((page.sid, session.sid), now.timestamp()), now)
    return granted


async def stop(db: AsyncSession, claims: Claims, address: str, now: datetime) -> bool:
    """End the TV's own session and free its seat. Return whether there was one: a lent one continues to play."""
    page, _, _ = await _page(db, claims, now)
    session = await _linked_tv(db, page) or await _approved_tv(db, page)
    if session:
        reason = EndReason.STOPPED if session.approved_by else EndReason.RELEASED  # a page would resume automatically
        await ending.end(db, session, reason, now, Actor.viewer(address))
    return session is not None


async def would_pause(db: AsyncSession, claims: Claims, rules: SeatRules, now: datetime) -> bool:
    """Return whether a TV would need the page's own seat. Raise TokenUnusable or SessionOver."""
    page, _, event = await _page(db, claims, now)
    live = await sessions.live_of(db, page.ticket_id)
    others = [one for one in live if one is not page]
    one_is_silent = any(now - max(one.last_seen_at, rules.counting_since) > rules.silence for one in others)
    has_tv = any(one.resume_hash == _tv_hash(page) for one in others)
    return len(live) >= event.max_devices and not one_is_silent and not has_tv


async def _page(db: AsyncSession, claims: Claims, now: datetime) -> tuple[ViewingSession, Ticket, Event]:
    """Return the page's live session and lock its ticket. Raise TokenUnusable, SessionOver or SessionTakenOver."""
    if claims.is_expired(now.timestamp()):
        raise TokenUnusable
    page, ticket, event = await sessions.locked(db, claims)
    if page.carrier == CARRIER:
        raise TokenUnusable
    if page.ended_at:
        raise sessions.why_over(page)
    return page, ticket, event


async def _linked_tv(db: AsyncSession, page: ViewingSession) -> ViewingSession | None:
    live = ViewingSession.ended_at.is_(None)
    query = select(ViewingSession).where(ViewingSession.ticket_id == page.ticket_id, live)
    return await db.scalar(query.where(ViewingSession.resume_hash == _tv_hash(page)).with_for_update())


async def _approved_tv(db: AsyncSession, page: ViewingSession) -> ViewingSession | None:
    conditions = ViewingSession.ticket_id == page.ticket_id, ViewingSession.ended_at.is_(None)
    query = select(ViewingSession).where(*conditions, ViewingSession.approved_by == page.resume_hash)
    return await db.scalar(query.with_for_update())


async def _begin(db: AsyncSession, attempt: SeatRequest, page: ViewingSession) -> ViewingSession | None:
    """Begin a session on a free or silent seat; return None if there is no such seat."""
    live = await sessions.live_of(db, attempt.ticket.id)
    try:
        seat = await redeeming.free_a_seat(db, attempt, live, None)
    except TicketInUse:
        return None
    return await _add(db, _new_session(attempt, page, seat))


async def _add(db: AsyncSession, session: ViewingSession) -> ViewingSession | None:
    """Add the session, or return None if another one took the seat after it was found free."""
    try:
        async with db.begin_nested():
            db.add_all([session, LastSeen(sid=session.sid, at=session.started_at)])
    except IntegrityError:
        return None
    await news.report_sessions(db, Topic.SESSION_STARTED, [session.sid], session.started_at)
    return session


def _new_session(attempt: SeatRequest, page: ViewingSession, seat: int) -> ViewingSession:
    return ViewingSession(
        sid=secrets.token_urlsafe(16),
        ticket_id=attempt.ticket.id,
        seat=seat,
        started_at=attempt.now,
        client_ip=attempt.device.address,
        user_agent=attempt.device.user_agent,
        carrier=CARRIER,
        resume_hash=_tv_hash(page),
        token_issued_at=0,
        token_expires_at=0,
    )


def _tv_hash(page: ViewingSession) -> str:
    """Return a hash that ties a TV to the browser, not the page: a reload begins a new session with the same secret."""
    return digest(f"tv of {page.resume_hash}")


def _claims(session: ViewingSession, ticket: Ticket, event: Event, now: datetime) -> Claims:
    """Return the claims of a path token. It is valid until the ticket's end, because a TV cannot change its URL."""
    issued_at = max(int(now.timestamp()), ticket.tokens_not_before, event.tokens_not_before)
    expires_at = sessions.latest_expiry(ticket)
    session.token_issued_at = max(session.token_issued_at, issued_at)
    session.token_expires_at = max(session.token_expires_at, expires_at)
    return Claims(eid=event.id, iat=issued_at, exp=expires_at, sub=ticket.code, sid=session.sid)
