"""Redeeming: an admitted device gets a seat, either a free one or that of a session that gives way.

A unique index, not these rules, guarantees that a seat has at most one live session.
"""

import secrets
from collections.abc import Sequence
from datetime import datetime
from functools import cache

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from control_plane.access import audit
from control_plane.access.actors import Actor
from control_plane.access.audit import Intent
from control_plane.db.together import WriteBatch, change_of, columns_of, named, row_of
from control_plane.digests import digest
from control_plane.end_reasons import EndReason
from control_plane.errors import TakenOverTooOften, TicketInUse
from control_plane.sessions import ending, sessions, takeovers
from control_plane.sessions.sessions import Device, Grant, SeatRequest, SeatRules
from control_plane.tables import AuditEntry, LastSeen, Ticket, ViewingSession
from control_plane.tickets import tickets
from control_plane.webhooks import news
from control_plane.webhooks.outbox import Topic


async def redeem(
    db: AsyncSession, code: str, device: Device, rules: SeatRules, now: datetime, *, takeover: bool = False
) -> Grant:
    """Begin a session with a code and record it.

    Raise UnknownCode, an admission refusal, TicketInUse or TakenOverTooOften.
    """
    ticket, event = await tickets.find_by_code(db, code, for_update=True)
    tickets.check_admission(ticket, event, now)
    intent = Intent(Actor.viewer(device.address), audit.REDEEM, {"takeover": True} if takeover else None)
    return await begin(db, SeatRequest(ticket, event, device, rules, now, takeover, intent=intent))


async def begin(db: AsyncSession, attempt: SeatRequest) -> Grant:
    """Begin the session that an admitted device asks for. Raise TicketInUse or TakenOverTooOften."""
    ticket, event, device = attempt.ticket, attempt.event, attempt.device
    is_first = ticket.redeemed_at is None
    live = [] if is_first else await sessions.live_of(db, ticket.id)
    own = _own_session(live, attempt)
    session = ViewingSession(
        sid=secrets.token_urlsafe(16),
        ticket_id=ticket.id,
        seat=await free_a_seat(db, attempt, live, own),
        started_at=attempt.now,
        client_ip=device.address,
        user_agent=device.user_agent[: sessions.SHOWN_USER_AGENT],
        carrier="header",
        approved_by=attempt.approved_by,
    )
    secret = None if attempt.kept_hash else await secret_for(db, device)
    session.resume_hash = digest(secret) if secret else attempt.kept_hash
    claims = sessions.next_claims(session, ticket, event, attempt.rules, attempt.now)
    try:
        await _write(db, session, attempt, is_first=is_first)
    except IntegrityError:  # another session took the seat after it was found free
        raise TicketInUse(can_take_over=_may_take_over(attempt, live)) from None
    if is_first:
        await news.report_ticket(db, Topic.TICKET_REDEEMED, ticket, attempt.now)
    await news.report_session_start(db, session.sid, ticket, event, attempt.now)
    return Grant(event, ticket, claims, secret)


async def _write(db: AsyncSession, session: ViewingSession, attempt: SeatRequest, *, is_first: bool) -> None:
    """Write the session, the ticket's redemption if this is its first session, and the audit entry."""
    seen = {"sid": session.sid, "at": attempt.now}
    values = {**named(ViewingSession, columns_of(session)), **named(LastSeen, seen)}
    if is_first:
        first = {"id": attempt.ticket.id, "redeemed_at": attempt.now, "redeemed_ip": attempt.device.address}
        values |= named(Ticket, first)
    if attempt.intent:
        entry = attempt.intent.row(session.sid, attempt.event.id, attempt.ticket.id, attempt.now)
        values |= named(AuditEntry, entry)
    await _begin_batch(is_first=is_first, is_recorded=attempt.intent is not None).run(db, values)


@cache
def _begin_batch(*, is_first: bool, is_recorded: bool) -> WriteBatch:
    first = [change_of(Ticket, "redeemed_at", "redeemed_ip")] if is_first else []
    return WriteBatch(*first, *([row_of(AuditEntry)] if is_recorded else []), row_of(LastSeen), row_of(ViewingSession))


async def free_a_seat(
    db: AsyncSession, attempt: SeatRequest, live: Sequence[ViewingSession], own: ViewingSession | None
) -> int:
    """Return a seat without a live session, ending one for it where the rules allow.

    Raise TicketInUse or TakenOverTooOften.
    """
    by = Actor.viewer(attempt.device.address)
    if own:
        await ending.end(db, own, EndReason.REPLACED, attempt.now, by)
        return own.seat
    free = set(range(attempt.event.max_devices)) - {session.seat for session in live}
    if free:
        return min(free)
    if attempt.page and attempt.page in live:
        leaving, reason = attempt.page, EndReason.ON_TV
    elif attempt.takeover and (on_tv := _own_tv(live, attempt)):
        leaving, reason = on_tv, EndReason.TAKEN_OVER
    else:
        leaving = min(live, key=lambda session: session.last_seen_at)
        reason = await _eviction_reason(db, attempt, leaving, may_take_over=_may_take_over(attempt, live))
    await ending.end(db, leaving, reason, attempt.now, by)
    return leaving.seat


async def _eviction_reason(
    db: AsyncSession, attempt: SeatRequest, quietest: ViewingSession, *, may_take_over: bool
) -> EndReason:
    """Return why the quietest session gives its seat to this request. Raise TicketInUse or TakenOverTooOften."""
    silent_since = max(quietest.last_seen_at, attempt.rules.counting_since)
    if attempt.now - silent_since > attempt.rules.silence:
        return EndReason.TIMEOUT
    if attempt.rules.nothing_plays(attempt.event, attempt.now):
        return EndReason.YIELDED
    if not (attempt.takeover and may_take_over):
        raise TicketInUse(can_take_over=may_take_over)
    if pause := await takeovers.pause(db, attempt.ticket.id, attempt.now):
        raise TakenOverTooOften(pause)
    return EndReason.TAKEN_OVER


def _may_take_over(attempt: SeatRequest, live: Sequence[ViewingSession]) -> bool:
    """Return whether the event lets any device take over; a TV always gives way to the browser that approved it."""
    return attempt.event.session_policy == "takeover" or _own_tv(live, attempt) is not None


def _own_tv(live: Sequence[ViewingSession], attempt: SeatRequest) -> ViewingSession | None:
    secret = attempt.device.resume_secret
    return next((one for one in live if secret and one.approved_by == digest(secret)), None)


def _own_session(live: Sequence[ViewingSession], attempt: SeatRequest) -> ViewingSession | None:
    """Return the live session that the requesting page had, or else that of another tab of the same browser."""
    if attempt.replaces in live:
        return attempt.replaces
    secret = attempt.device.resume_secret
    return next((session for session in live if secret and session.resume_hash == digest(secret)), None)


async def secret_for(db: AsyncSession, device: Device) -> str:
    """Return the browser's secret, with which all of its tabs resume, or a new one if no session has that secret."""
    secret = device.resume_secret
    return secret if secret and await sessions.last_session(db, secret) else secrets.token_urlsafe(24)
