"""One event with its tickets: the rules with an explicit time, and what a gate would decide."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import select, update

from authz_sidecar.contract.feed import Change
from authz_sidecar.contract.playback_token import Claims
from authz_sidecar.revocations import Revocations
from control_plane.clock import utc_now
from control_plane.db.database import Database
from control_plane.end_reasons import EndReason
from control_plane.events import events
from control_plane.lifecycle import event_changes
from control_plane.revocations import revocation_feed
from control_plane.schemas.events import EventDraft, EventUpdate
from control_plane.sessions import ending, redeeming, sessions, tv
from control_plane.sessions.sessions import Device, Grant, SeatRules
from control_plane.tables import Event, LastSeen, Ticket, ViewingSession
from control_plane.tickets import tickets

NOON = datetime(2027, 1, 15, 12, tzinfo=UTC)
RULES = SeatRules(token_seconds=3600, silence=timedelta(seconds=60), counting_since=NOON - timedelta(days=1))
PHONE, LAPTOP, TABLET = Device("192.0.2.10", "phone"), Device("192.0.2.20", "laptop"), Device("192.0.2.30", "tablet")


def after(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


@dataclass
class Scenario:
    """An event from noon to two, with access for one more hour, and its tickets."""

    database: Database
    event: Event
    tickets: Sequence[Ticket]

    async def redeem(self, device: Device, now: datetime, ticket: int = 0, *, takeover: bool = False) -> Grant:
        async with self.database.write() as db:
            return await redeeming.redeem(db, self.tickets[ticket].code, device, RULES, now, takeover=takeover)

    async def refresh(self, claims: Claims, now: datetime) -> Claims:
        async with self.database.write() as db:
            return (await sessions.refresh(db, claims, RULES, now)).claims

    async def tv(self, grant: Grant, now: datetime) -> Claims:
        async with self.database.write() as db:
            return (await tv.link(db, grant.claims, "192.0.2.10", RULES, now)).claims

    async def change(self, now: datetime, **changes: object) -> Event:
        async with self.database.write() as db:
            event = await events.find(db, self.event.id)
            kept = {name: getattr(event, name) for name in EventUpdate.model_fields}
            wanted = EventUpdate.model_validate(kept | changes)
            return await event_changes.update_event(db, event.id, wanted, (), now)

    async def feed(self) -> tuple[Change, ...]:
        async with self.database.read() as db:
            return (await revocation_feed.read_page(db, "")).changes

    async def plays(self, claims: Claims, now: datetime) -> bool:
        """Return whether a gate that follows the feed allows this token."""
        known = Revocations(await self.feed())
        refused = (
            known.events.refuses(claims.eid, claims.iat),
            known.events.holds(claims.eid, now.timestamp()) and not claims.passes_closed_doors,
            known.codes.refuses(claims.sub or "", claims.iat),
            known.sessions.refuses(claims.sid or "", claims.iat),
        )
        return not claims.is_expired(now.timestamp()) and not any(refused)

    async def beat_all(self, now: datetime) -> None:
        """Record a heartbeat of every live session."""
        async with self.database.write() as db:
            await db.execute(update(LastSeen).values(at=now))

    async def release_all(self, now: datetime) -> None:
        async with self.database.write() as db:
            for session in (await db.scalars(select(ViewingSession).where(ViewingSession.ended_at.is_(None)))).all():
                await ending.end(db, session, EndReason.RELEASED, now)

    async def seats(self) -> dict[str, int]:
        """Return the seat of each device with a live session."""
        async with self.database.read() as db:
            live = await db.scalars(select(ViewingSession).where(ViewingSession.ended_at.is_(None)))
            return {session.user_agent: session.seat for session in live}

    async def endings(self) -> dict[str, str | None]:
        async with self.database.read() as db:
            return {session.user_agent: session.end_reason for session in await db.scalars(select(ViewingSession))}


async def new_scenario(database: Database, **values: object) -> Scenario:
    draft = {"title": "Concert", "starts_at": NOON, "ends_at": after(7200), "access_window_hours": 1}
    draft |= {"hold_until_start": False}
    async with database.write() as db:
        event = await event_changes.create_event(db, EventDraft.model_validate(draft | values), utc_now())
        return Scenario(database, event, await tickets.generate(db, event, 2, utc_now()))
