"""Seats and time: the rules with an explicit time."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from control_plane.clock import utc_now
from control_plane.db.database import Database
from control_plane.errors import SessionOver, TicketExpired, TicketInUse, TokenFinal, TokenUnusable
from control_plane.lifecycle import event_changes, revocation
from control_plane.schemas.events import EventDraft
from control_plane.sessions import redeeming, sessions
from control_plane.sessions.sessions import Device, Grant, SeatRules
from control_plane.tables import Event, Ticket, ViewingSession
from control_plane.tickets import tickets
from tests.support.clients.beating import beat

pytestmark = [pytest.mark.anyio, pytest.mark.both_databases]
NOON = datetime(2027, 1, 15, 12, tzinfo=UTC)
RULES = SeatRules(token_seconds=3600, silence=timedelta(seconds=60), counting_since=NOON - timedelta(days=1))
PHONE, LAPTOP = Device("192.0.2.10", "phone"), Device("192.0.2.20", "laptop")


def after(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


class SeatScenario:
    """One ticket and its database."""

    def __init__(self, database: Database, ticket: Ticket) -> None:
        self.database = database
        self.ticket = ticket

    async def redeem(self, device: Device, now: datetime, rules: SeatRules = RULES, *, takeover: bool = False) -> Grant:
        async with self.database.write() as db:
            return await redeeming.redeem(db, self.ticket.code, device, rules, now, takeover=takeover)

    async def refresh(self, grant: Grant, now: datetime) -> int:
        async with self.database.write() as db:
            return (await sessions.refresh(db, grant.claims, RULES, now)).claims.exp

    async def heartbeat(self, grant: Grant, now: datetime) -> None:
        await beat(self.database, grant.claims, now)

    async def endings(self) -> list[str | None]:
        async with self.database.read() as db:
            query = select(ViewingSession.end_reason).order_by(ViewingSession.started_at)
            return list(await db.scalars(query))


async def new_scenario(database: Database, **event: object) -> SeatScenario:
    draft = {"title": "Concert", "starts_at": NOON, "ends_at": NOON + timedelta(hours=2), "access_window_hours": 1}
    async with database.write() as db:
        made: Event = await event_changes.create_event(db, EventDraft.model_validate(draft | event), utc_now())
        return SeatScenario(database, (await tickets.generate(db, made, 1, utc_now()))[0])


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    database = Database(database_url)
    yield database
    await database.close()


@pytest.fixture
async def scenario(database: Database) -> SeatScenario:
    return await new_scenario(database)


async def test_a_silent_seat_can_be_claimed_once_it_has_been_silent_long_enough(scenario: SeatScenario) -> None:
    await scenario.redeem(PHONE, NOON)
    with pytest.raises(TicketInUse):
        await scenario.redeem(LAPTOP, after(60))
    await scenario.redeem(LAPTOP, after(60.001))
    assert await scenario.endings() == ["timeout", None]


async def test_each_heartbeat_restarts_the_silence(scenario: SeatScenario) -> None:
    grant = await scenario.redeem(PHONE, NOON)
    await scenario.heartbeat(grant, after(50))
    with pytest.raises(TicketInUse):
        await scenario.redeem(LAPTOP, after(110))
    await scenario.refresh(grant, after(110))
    with pytest.raises(TicketInUse):
        await scenario.redeem(LAPTOP, after(170))
    await scenario.redeem(LAPTOP, after(171))


async def test_silence_alone_ends_nothing(scenario: SeatScenario) -> None:
    grant = await scenario.redeem(PHONE, NOON)
    await scenario.heartbeat(grant, after(3000))
    await scenario.refresh(grant, after(3500))
    assert await scenario.endings() == [None]


async def test_downtime_of_the_control_plane_does_not_count_as_silence(scenario: SeatScenario) -> None:
    grant = await scenario.redeem(PHONE, NOON)
    restarted = SeatRules(3600, timedelta(seconds=60), counting_since=after(1800))
    with pytest.raises(TicketInUse):
        await scenario.redeem(LAPTOP, after(1860), restarted)
    await scenario.heartbeat(grant, after(1861))
    with pytest.raises(TicketInUse):
        await scenario.redeem(LAPTOP, after(1900), restarted)


async def test_a_seat_that_stays_silent_after_a_restart_can_be_claimed(scenario: SeatScenario) -> None:
    await scenario.redeem(PHONE, NOON)
    restarted = SeatRules(3600, timedelta(seconds=60), counting_since=after(1800))
    await scenario.redeem(LAPTOP, after(1861), restarted)


async def test_last_seen_never_goes_back(scenario: SeatScenario) -> None:
    grant = await scenario.redeem(PHONE, NOON)
    await scenario.heartbeat(grant, after(50))
    await scenario.heartbeat(grant, after(10))
    with pytest.raises(TicketInUse):
        await scenario.redeem(LAPTOP, after(100))


async def test_the_device_whose_seat_was_claimed_is_notified(scenario: SeatScenario) -> None:
    grant = await scenario.redeem(PHONE, NOON)
    await scenario.redeem(LAPTOP, after(61))
    with pytest.raises(SessionOver) as told:
        await scenario.heartbeat(grant, after(62))
    assert told.value.reason == "timeout"


async def test_of_several_seats_the_longest_silent_is_claimed(database: Database) -> None:
    scenario = await new_scenario(database, max_devices=2)
    first, second = await scenario.redeem(PHONE, NOON), await scenario.redeem(LAPTOP, after(1))
    await scenario.heartbeat(first, after(100))
    third = await scenario.redeem(Device("192.0.2.30", "tv"), after(101))
    await scenario.heartbeat(first, after(102))
    await scenario.heartbeat(third, after(102))
    with pytest.raises(SessionOver):
        await scenario.heartbeat(second, after(102))


async def test_a_takeover_ends_the_longest_silent_of_several_devices(database: Database) -> None:
    scenario = await new_scenario(database, max_devices=2, session_policy="takeover")
    first, second = await scenario.redeem(PHONE, NOON), await scenario.redeem(LAPTOP, after(1))
    await scenario.heartbeat(first, after(10))
    await scenario.redeem(Device("192.0.2.30", "tv"), after(11), takeover=True)
    assert await scenario.endings() == [None, "taken-over", None]
    await scenario.refresh(first, after(12))
    assert second.claims.sid != first.claims.sid


async def test_a_free_seat_is_used_before_any_session_is_ended(database: Database) -> None:
    scenario = await new_scenario(database, max_devices=2, session_policy="takeover")
    await scenario.redeem(PHONE, NOON)
    await scenario.redeem(LAPTOP, after(1000), takeover=True)
    assert await scenario.endings() == [None, None]


async def test_a_ticket_is_valid_until_its_last_moment(scenario: SeatScenario) -> None:
    last = scenario.ticket.expires_at
    assert last == NOON + timedelta(hours=3)
    await scenario.redeem(PHONE, last - timedelta(microseconds=1))
    with pytest.raises(TicketExpired):
        await scenario.redeem(PHONE, last)


async def test_tokens_end_an_hour_after_their_issue_or_a_minute_after_the_ticket(scenario: SeatScenario) -> None:
    grant = await scenario.redeem(PHONE, NOON)
    assert grant.claims.exp - grant.claims.iat == 3600
    ends = int(scenario.ticket.expires_at.timestamp())
    assert await scenario.refresh(grant, after(3600)) == NOON.timestamp() + 7200
    late = await scenario.redeem(Device("192.0.2.10", "phone", grant.resume_secret), after(3 * 3600 - 600))
    assert late.claims.exp == ends + 60
    with pytest.raises(TokenFinal):
        await scenario.refresh(late, after(3 * 3600 - 300))
    with pytest.raises(TicketExpired):
        await scenario.refresh(late, after(3 * 3600))


async def test_a_token_is_refreshed_up_to_a_minute_after_its_end(scenario: SeatScenario) -> None:
    grant = await scenario.redeem(PHONE, NOON)
    with pytest.raises(TokenUnusable):
        await scenario.refresh(grant, after(3660.1))
    assert await scenario.refresh(grant, after(3660)) > grant.claims.exp


@pytest.mark.parametrize("subject", ["ticket", "event"])
async def test_no_token_is_older_than_a_lifted_revocation_demands(scenario: SeatScenario, subject: str) -> None:
    """All within one second: the revoked token stays refused, and the new one plays."""
    cut = await scenario.redeem(PHONE, NOON)
    async with scenario.database.write() as db:
        if subject == "ticket":
            await revocation.revoke(db, scenario.ticket.id, after(0.1))
            await revocation.unrevoke(db, scenario.ticket.id, after(0.2))
        else:
            await revocation.deactivate(db, scenario.ticket.event_id, after(0.1))
            await revocation.reactivate(db, scenario.ticket.event_id, after(0.2))
    fresh = await scenario.redeem(PHONE, after(0.3))
    assert fresh.claims.iat > cut.claims.iat
    with pytest.raises(SessionOver):
        await scenario.heartbeat(cut, after(0.4))
