"""Codes that a TV shows: the viewer approves one on the phone, and the TV plays. Modelled on RFC 8628.

Only the TV knows the device code, and polls with it; people read the user code, which has no look-alikes and is valid
for ten minutes and one approval. All state is in the database, so any control plane can answer.
"""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from authz_sidecar.contract.playback_token import Claims
from control_plane.digests import digest
from control_plane.end_reasons import EndReason
from control_plane.errors import NotFound, TokenUnusable, TvCodeUnusable
from control_plane.sessions import last_seen, redeeming, sessions
from control_plane.sessions.sessions import Device, Grant, SeatRequest, SeatRules
from control_plane.tables import Event, Ticket, TvCode, ViewingSession
from control_plane.tickets import tickets

LIFE: Final = timedelta(minutes=10)
POLL_SECONDS: Final = 5
LENGTH: Final = 8
_LETTERS: Final = "BCDFGHJKLMNPQRSTVWXZ"  # RFC 8628, section 6.1: no vowels, so no words, and nothing like a digit


@dataclass(frozen=True, slots=True)
class IssuedTvCode:
    """What the TV receives: a code to show, and the secret with which it asks whether the code was approved."""

    user_code: str
    device_code: str


@dataclass(frozen=True, slots=True)
class Approval:
    """The TV's session; `moved` if the approving page gave up its own seat for it."""

    grant: Grant
    moved: bool


@dataclass(frozen=True, slots=True)
class Approver:
    """The approving client: its address, the resume hash of its browser, and the session that plays there, if any."""

    address: str
    resume_hash: str | None = None
    page: ViewingSession | None = None


def parse_user_code(text: str) -> str:
    """Return the code in its stored form: people may type lower case, dashes and spaces."""
    return "".join(letter for letter in text.upper() if letter.isalnum())


async def issue(db: AsyncSession, tv: Device, now: datetime) -> IssuedTvCode:
    issued = IssuedTvCode("".join(secrets.choice(_LETTERS) for _ in range(LENGTH)), secrets.token_urlsafe(32))
    row = TvCode(
        device_hash=digest(issued.device_code),
        user_code=issued.user_code,
        client_ip=tv.address,
        user_agent=tv.user_agent[: sessions.SHOWN_USER_AGENT],
        expires_at=now + LIFE,
    )
    db.add(row)
    await db.flush()
    return issued


async def approve_by_page(
    db: AsyncSession, claims: Claims, user_code: str, rules: SeatRules, now: datetime
) -> Approval:
    """Admit the TV on the ticket of the page with these claims, on the page's own seat if no other is free.

    Raise TokenUnusable, SessionOver, TvCodeUnusable or an admission refusal.
    """
    if claims.is_expired(now.timestamp()):
        raise TokenUnusable
    page, ticket, event = await sessions.locked(db, claims)
    if page.ended_at:
        raise sessions.why_over(page)
    last_seen.note(page, now)
    approver = Approver(page.client_ip, page.resume_hash, page)
    approval = await _approve(db, user_code, (ticket, event), approver, rules, now)
    await last_seen.move(db, {page.sid: now.timestamp()}, now)
    return approval


async def approve_by_code(  # noqa: PLR0913 - the phone's input and the rules for it
    db: AsyncSession, code: str, user_code: str, phone: Device, rules: SeatRules, now: datetime, *, takeover: bool
) -> Approval:
    """Admit the TV on the ticket of a code.

    Raise UnknownCode, an admission refusal, TvCodeUnusable, TicketInUse or TakenOverTooOften.
    """
    ticket, event = await tickets.find_by_code(db, code, for_update=True)
    resume_hash = digest(phone.resume_secret) if phone.resume_secret else None
    live = await sessions.live_of(db, ticket.id)
    page = next((one for one in live if resume_hash and one.resume_hash == resume_hash), None)
    approver = Approver(phone.address, resume_hash, page)
    return await _approve(db, user_code, (ticket, event), approver, rules, now, takeover=takeover)


async def collect(db: AsyncSession, device_code: str, tv: Device, rules: SeatRules, now: datetime) -> Grant | None:
    """Return the TV's session, once, or None until it is approved.

    Raise TvCodeUnusable, an admission refusal, or SessionOver.
    """
    query = select(TvCode).where(TvCode.device_hash == digest(device_code), TvCode.expires_at > now)
    row = await db.scalar(query)
    if row is None:
        raise TvCodeUnusable
    if row.sid is None:
        return None
    ticket_id = await db.scalar(select(ViewingSession.ticket_id).where(ViewingSession.sid == row.sid))
    if ticket_id is None:
        raise TvCodeUnusable
    # Lock the ticket before the session, and the code last, as an approval does: see db/database.py.
    try:
        watched = await tickets.hold(db, ticket_id)
    except NotFound:
        raise TvCodeUnusable from None  # deleted since, and the session with it
    session = await db.get(ViewingSession, row.sid, with_for_update=True, populate_existing=True)
    row = await db.scalar(query.with_for_update(), execution_options={"populate_existing": True})
    if session is None or row is None:
        raise TvCodeUnusable
    await db.delete(row)
    return await _hand_over(db, session, watched, tv, rules, now)


async def _hand_over(
    db: AsyncSession,
    session: ViewingSession,
    watched: tuple[Ticket, Event],
    tv: Device,
    rules: SeatRules,
    now: datetime,
) -> Grant:
    """Issue the session's first token to the TV, whose browser resumes the session from now on."""
    ticket, event = watched
    tickets.check_admission(ticket, event, now)
    if session.ended_at:
        raise sessions.why_over(session)
    secret = await redeeming.secret_for(db, tv)
    session.resume_hash = digest(secret)
    claims = sessions.next_claims(session, ticket, event, rules, now)
    await last_seen.move(db, {session.sid: now.timestamp()}, now)
    return Grant(event, ticket, claims, secret)


async def forget_expired(db: AsyncSession, now: datetime) -> None:
    await db.execute(delete(TvCode).where(TvCode.expires_at <= now))


async def _approve(  # noqa: PLR0913 - one decision
    db: AsyncSession,
    user_code: str,
    admitted_to: tuple[Ticket, Event],
    approver: Approver,
    rules: SeatRules,
    now: datetime,
    *,
    takeover: bool = False,
) -> Approval:
    ticket, event = admitted_to
    tickets.check_admission(ticket, event, now)
    wanted = TvCode.user_code == parse_user_code(user_code), TvCode.expires_at > now, TvCode.sid.is_(None)
    row = await db.scalar(select(TvCode).where(*wanted).with_for_update())
    if row is None:
        raise TvCodeUnusable
    tv = Device(row.client_ip, row.user_agent)
    attempt = SeatRequest(ticket, event, tv, rules, now, takeover, page=approver.page, approved_by=approver.resume_hash)
    grant = await redeeming.begin(db, attempt)
    row.sid = grant.claims.sid
    moved = approver.page is not None and approver.page.end_reason == EndReason.ON_TV
    return Approval(grant, moved)
