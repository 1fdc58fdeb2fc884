"""Why can this person not watch? One word and one sentence about the first obstacle.

The checks are those of a redemption, in the same order, and change nothing.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from control_plane.sessions import takeovers
from control_plane.sessions.sessions import SeatRules
from control_plane.tables import AuditEntry, Event, Ticket, ViewingSession
from control_plane.tickets.history import Subject

_MINUTE_SECONDS: Final = 60


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """`word` is that of a refusal, or `deleted`, `silent`, `waiting`, `not-started`, `playing` or `ok`."""

    word: str
    sentence: str


async def diagnose(db: AsyncSession, subject: Subject, rules: SeatRules, now: datetime) -> Diagnosis:
    ticket, event = subject.ticket, subject.event
    if ticket is None or event is None:
        return await _deleted(subject)
    if ticket.is_revoked:
        return Diagnosis(
            "revoked", f"The ticket was revoked at {_moment(ticket.revoked_at)}{await _revoked_by(db, ticket)}."
        )
    if not event.is_active:
        return Diagnosis("event", f"The event was deactivated at {_moment(event.deactivated_at)}.")
    if now >= ticket.expires_at:
        return Diagnosis("expired", f"The ticket expired at {_moment(ticket.expires_at)}.")
    return await _check_seats(db, ticket, event, rules, now)


async def _check_seats(db: AsyncSession, ticket: Ticket, event: Event, rules: SeatRules, now: datetime) -> Diagnosis:
    query = select(ViewingSession).where(ViewingSession.ticket_id == ticket.id, ViewingSession.ended_at.is_(None))
    live = (await db.scalars(query.order_by(ViewingSession.last_seen_at))).all()
    if len(live) < event.max_devices:
        return _with_free_seat(ticket, event, len(live), now)
    quietest = live[0]
    if now - max(quietest.last_seen_at, rules.counting_since) > rules.silence:
        sentence = f"Nothing is in the way: a device that was last seen at {_moment(quietest.last_seen_at)} gives way."
        return Diagnosis("silent", sentence)
    if rules.nothing_plays(event, now):
        return Diagnosis("waiting", "Nothing is in the way: nothing plays yet, so a device that is waiting gives way.")
    if event.session_policy == "takeover":
        return await _check_takeover(db, ticket, live[-1], now)
    since = _moment(min(session.started_at for session in live))
    if event.max_devices == 1:
        return Diagnosis("in-use", f"Another device is using this ticket's only seat since {since}.")
    return Diagnosis("in-use", f"All {event.max_devices} seats of this ticket are taken, the first since {since}.")


async def _check_takeover(db: AsyncSession, ticket: Ticket, newest: ViewingSession, now: datetime) -> Diagnosis:
    if wait := await takeovers.pause(db, ticket.id, now):
        minutes = -(-wait // _MINUTE_SECONDS)
        return Diagnosis(
            "taken-over-too-often",
            f"Devices keep taking over each other's seat; the next take-over is allowed in {minutes} min.",
        )
    sentence = f"A device is watching, last seen at {_moment(newest.last_seen_at)}; another one may take over."
    return Diagnosis("in-use", sentence)


def _with_free_seat(ticket: Ticket, event: Event, live: int, now: datetime) -> Diagnosis:
    until = f"the ticket is good until {_moment(ticket.expires_at)}"
    if now < event.starts_at:
        return Diagnosis("not-started", f"The event begins at {_moment(event.starts_at)}; {until}.")
    seats = event.max_devices - live
    free = "a seat is free" if seats == 1 else f"{seats} seats are free"
    return Diagnosis("ok", f"Nothing is in the way: {until} and {free}.")


async def _deleted(subject: Subject) -> Diagnosis:
    last = subject.last
    if last and last.action == "ticket.delete":
        return Diagnosis("deleted", f"The ticket was deleted at {_moment(last.at)} by {last.actor}.")
    return Diagnosis("deleted", "The ticket was deleted together with its event.")


async def _revoked_by(db: AsyncSession, ticket: Ticket) -> str:
    """Return " by " and who revoked the ticket, or "" if the audit log does not go back that far."""
    conditions: tuple[Any, ...] = AuditEntry.ticket_id == ticket.id, AuditEntry.action == "ticket.revoke"
    query = select(AuditEntry.actor).where(*conditions, AuditEntry.outcome == "ok").order_by(AuditEntry.id.desc())
    actor = await db.scalar(query.limit(1))
    return f" by {actor}" if actor else ""


def _moment(moment: datetime | None) -> str:
    return f"{moment:%H:%M on %-d %B %Y} UTC" if moment else "an unknown time"
