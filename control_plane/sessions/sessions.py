"""Viewing sessions: one device on one seat of one ticket, from redeeming to the end of the session.

A unique index, not these rules, guarantees that a seat has at most one live session: of a hundred simultaneous
redemptions exactly one succeeds on any database. Ending a session writes to the revocation feed in the same
transaction, so that its token stops working at every edge.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Final

from sqlalchemy import Select, bindparam, select
from sqlalchemy.ext.asyncio import AsyncSession

from authz_sidecar.contract.playback_token import Claims
from control_plane.access import audit
from control_plane.access.actors import Actor
from control_plane.access.audit import Intent
from control_plane.db.together import WriteBatch, change_of, columns_of, named, row_of
from control_plane.digests import digest
from control_plane.end_reasons import MOVED, EndReason
from control_plane.errors import SessionOver, SessionTakenOver, TokenFinal, TokenUnusable
from control_plane.sessions import ending, last_seen
from control_plane.tables import AuditEntry, Event, LastSeen, Ticket, ViewingSession
from control_plane.tickets import tickets

TOKEN_GRACE_SECONDS = 60  # how long a token outlives its ticket, and may be refreshed after its own expiry
SHOWN_USER_AGENT = 400
_SYSTEM = Actor.system()


@dataclass(frozen=True, slots=True)
class SeatRules:
    """The settings for seats, and what is known about streams.

    Silence is counted from the control plane's own start at the earliest: while it was down, no session could be seen.
    While `nothing_plays`, a session of the event is only waiting, and gives its seat to a device that asks for it.
    """

    token_seconds: int
    silence: timedelta
    counting_since: datetime
    nothing_plays: Callable[[Event, datetime], bool] = lambda _event, _now: False

    def alive_since(self, now: datetime) -> datetime:
        """Return since when a session must have been seen to count as watching now."""
        return now - self.silence


@dataclass(frozen=True, slots=True)
class Device:
    """A client: its address as nginx saw it, its user agent, and the resume secret that its browser holds."""

    address: str
    user_agent: str
    resume_secret: str | None = None


@dataclass(frozen=True, slots=True)
class Grant:
    """A session that may play: the claims of its token, and the secret with which its browser resumes it.

    The secret is None if the session was identified by its token alone: such a browser keeps no cookie.
    """

    event: Event
    ticket: Ticket
    claims: Claims
    resume_secret: str | None


@dataclass(frozen=True, slots=True)
class SeatRequest:
    """An admitted device that asks for a seat; `replaces` is the session that the requesting page had.

    A page that sent its token keeps the resume hash of its session, and its browser keeps the secret. A TV is approved
    by a browser, whose resume hash is `approved_by`, and may take the seat of the `page` that plays there.
    """

    ticket: Ticket
    event: Event
    device: Device
    rules: SeatRules
    now: datetime
    takeover: bool
    replaces: ViewingSession | None = None
    kept_hash: str | None = None
    page: ViewingSession | None = None
    approved_by: str | None = None
    intent: Intent | None = None


_REFRESH_BATCH: Final = WriteBatch(
    change_of(ViewingSession, "token_issued_at", "token_expires_at"), last_seen.moved_forward(), row_of(AuditEntry)
)


async def refresh(db: AsyncSession, claims: Claims, rules: SeatRules, now: datetime, by: Actor = _SYSTEM) -> Grant:
    """Issue the session's next token and record it.

    Raise an admission refusal, SessionOver, SessionTakenOver, TokenUnusable, or TokenFinal if the last token already
    lasts until the ticket's end.
    """
    check_grace(claims, now)
    session, ticket, event = await _lock_one(db, claims)
    tickets.check_admission(ticket, event, now)
    if session.ended_at:
        raise why_over(session)
    is_valid = claims.iat >= max(ticket.tokens_not_before, event.tokens_not_before)  # the window may be shorter now
    if is_valid and claims.exp >= latest_expiry(ticket):  # not of the session's newest: that may be a TV's path token
        raise TokenFinal
    fresh = next_claims(session, ticket, event, rules, now)
    entry = Intent(by, audit.REFRESH).row(session.sid, event.id, ticket.id, now)
    seen = named(LastSeen, {"sid": session.sid, "at": now})
    await _REFRESH_BATCH.run(db, {**named(ViewingSession, columns_of(session)), **named(AuditEntry, entry), **seen})
    return Grant(event, ticket, fresh, None)


def check_grace(claims: Claims, now: datetime) -> None:
    """Raise TokenUnusable for a token that expired too long ago to identify its session."""
    if now.timestamp() > claims.exp + TOKEN_GRACE_SECONDS:
        raise TokenUnusable


async def release(db: AsyncSession, claims: Claims, now: datetime, by: Actor = _SYSTEM) -> None:
    """End a session at the request of its own device. Do nothing if it is over."""
    session = await db.get(ViewingSession, claims.sid, with_for_update=True)
    if session and session.ended_at is None:
        await ending.end(db, session, EndReason.RELEASED, now, by)


def next_claims(session: ViewingSession, ticket: Ticket, event: Event, rules: SeatRules, now: datetime) -> Claims:
    """Return the next token's claims: no older than a lifted revocation requires, and not valid beyond the ticket."""
    issued_at = max(int(now.timestamp()), ticket.tokens_not_before, event.tokens_not_before)
    expires_at = min(issued_at + rules.token_seconds, latest_expiry(ticket))
    session.token_issued_at = issued_at
    session.token_expires_at = max(expires_at, session.token_expires_at or 0)
    return Claims(eid=event.id, iat=issued_at, exp=expires_at, sub=ticket.code, sid=session.sid)


def latest_expiry(ticket: Ticket) -> int:
    return int(ticket.expires_at.timestamp()) + TOKEN_GRACE_SECONDS


async def live_of(db: AsyncSession, ticket_id: str) -> Sequence[ViewingSession]:
    """Return the ticket's live sessions, locked in a fixed order until the transaction ends."""
    return (await db.scalars(_live_query(), {"of": ticket_id})).all()


@cache
def _live_query() -> Select[ViewingSession]:
    query = select(ViewingSession).where(ViewingSession.ticket_id == bindparam("of"), ViewingSession.ended_at.is_(None))
    return query.order_by(ViewingSession.sid).with_for_update()


async def last_session(db: AsyncSession, secret: str) -> ViewingSession | None:
    query = select(ViewingSession).where(ViewingSession.resume_hash == digest(secret))
    return await db.scalar(query.order_by(ViewingSession.started_at.desc()).limit(1))


async def known(db: AsyncSession, claims: Claims) -> ViewingSession:
    """Return a token's session, live or over. Raise SessionOver if there is none."""
    session = await db.get(ViewingSession, claims.sid)
    if session is None:
        raise await why_unknown(db, claims)
    return session


async def why_unknown(db: AsyncSession, claims: Claims) -> SessionOver:
    """Return why a session that once had a token is missing: its ticket was deleted, or a backup was restored."""
    ticket = await db.scalar(select(Ticket.id).where(Ticket.code == claims.sub))
    return SessionOver(EndReason.UNKNOWN if ticket else EndReason.DELETED)


async def locked(db: AsyncSession, claims: Claims) -> tuple[ViewingSession, Ticket, Event]:
    session = await known(db, claims)
    ticket, event = await tickets.hold(db, session.ticket_id)
    await live_of(db, ticket.id)  # a concurrent kick has to know about the token that is about to be issued
    await db.refresh(session)
    return session, ticket, event


async def _lock_one(db: AsyncSession, claims: Claims) -> tuple[ViewingSession, Ticket, Event]:
    """Return a token's session with its ticket and event, and lock them, but no other session. Raise SessionOver.

    Changes to the returned objects are not written automatically.
    """
    found = await tickets.hold_session(db, claims.sid or "")
    if found is None:
        raise await why_unknown(db, claims)
    return found


def why_over(session: ViewingSession) -> SessionOver:
    return over_because(session.end_reason or EndReason.UNKNOWN)


def over_because(reason: EndReason) -> SessionOver:
    return SessionTakenOver(reason) if reason in MOVED else SessionOver(reason)
