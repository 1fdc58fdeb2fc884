"""The effect of event changes on viewers: each rule separately, with an explicit time."""

from collections.abc import AsyncIterator

import pytest

from control_plane.db.database import Database
from control_plane.errors import Conflict, SessionOver, TicketExpired, TicketInUse, TokenFinal
from control_plane.events import events
from control_plane.lifecycle import revocation
from control_plane.sessions.sessions import Grant
from tests.support.clients.beating import beat
from tests.support.data.scenario import LAPTOP, NOON, PHONE, TABLET, Scenario, after, new_scenario

pytestmark = [pytest.mark.anyio, pytest.mark.both_databases]


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    database = Database(database_url)
    yield database
    await database.close()


@pytest.fixture
async def scenario(database: Database) -> Scenario:
    return await new_scenario(database)


async def test_a_shorter_window_stops_tokens_that_would_outlast_it_with_one_entry(scenario: Scenario) -> None:
    first, second = await scenario.redeem(PHONE, after(9000)), await scenario.redeem(LAPTOP, after(9001), ticket=1)
    assert first.claims.exp > after(6600 + 3600 + 60).timestamp()
    await scenario.change(after(9010), ends_at=after(6600))
    [entry] = await scenario.feed()
    assert (entry.kind, entry.id, entry.revoked) == ("event", scenario.event.id, False)
    assert entry.expires_at >= max(first.claims.exp, second.claims.exp)
    assert not await scenario.plays(first.claims, after(9011))
    assert not await scenario.plays(second.claims, after(9011))


async def test_within_the_shorter_window_a_player_continues_by_refreshing(scenario: Scenario) -> None:
    grant = await scenario.redeem(PHONE, after(9000))
    await scenario.change(after(9010), ends_at=after(6600))
    fresh = await scenario.refresh(grant.claims, after(9011))
    assert await scenario.plays(fresh, after(9012))
    assert (fresh.sid, fresh.exp) == (grant.claims.sid, int(after(6600 + 3600 + 60).timestamp()))
    with pytest.raises(TokenFinal):
        await scenario.refresh(fresh, after(9013))
    with pytest.raises(TicketExpired):
        await scenario.refresh(fresh, after(6600 + 3600))


async def test_tokens_that_end_before_the_shorter_window_are_not_affected(scenario: Scenario) -> None:
    grant = await scenario.redeem(PHONE, NOON)
    await scenario.change(after(10), ends_at=after(3600))
    assert await scenario.feed() == ()
    assert await scenario.plays(grant.claims, after(20))
    assert (await scenario.refresh(grant.claims, after(3500))).exp <= after(7260).timestamp()


async def test_a_tv_link_that_would_outlast_the_shorter_window_must_be_created_again(database: Database) -> None:
    scenario = await new_scenario(database, max_devices=2)
    grant = await scenario.redeem(PHONE, NOON)
    link = await scenario.tv(grant, after(1))
    await scenario.change(after(10), ends_at=after(3600))
    assert not await scenario.plays(link, after(11))
    again = await scenario.tv(
        Grant(grant.event, grant.ticket, await scenario.refresh(grant.claims, after(12)), ""), after(13)
    )
    assert (await scenario.plays(again, after(14)), again.exp) == (True, int(after(7260).timestamp()))


async def test_shortening_a_window_several_times_within_a_second_still_allows_new_tokens(
    scenario: Scenario,
) -> None:
    grant = await scenario.redeem(PHONE, after(9000))
    for minutes in (100, 99, 98):
        await scenario.change(after(9000.1), ends_at=after(60 * minutes))
        fresh = await scenario.refresh(grant.claims, after(9000.2))
        assert not await scenario.plays(grant.claims, after(9001))
        assert await scenario.plays(fresh, after(9001))
        grant = Grant(grant.event, grant.ticket, fresh, "")


async def test_a_window_that_is_over_ends_all_sessions_at_once(scenario: Scenario) -> None:
    grant = await scenario.redeem(PHONE, after(7200))
    await scenario.change(after(7300), ends_at=after(3600))
    assert not await scenario.plays(grant.claims, after(7301))
    assert await scenario.endings() == {"phone": "expired"}
    with pytest.raises(TicketExpired):
        await scenario.redeem(LAPTOP, after(7301))


async def test_an_extended_window_allows_new_redemptions(scenario: Scenario) -> None:
    old = await scenario.redeem(PHONE, after(7200))
    await scenario.change(after(7300), ends_at=after(3600))
    await scenario.change(after(7301), ends_at=after(7200))
    fresh = await scenario.redeem(PHONE, after(7302))
    assert await scenario.plays(fresh.claims, after(7303))
    assert not await scenario.plays(old.claims, after(7303))


async def test_a_longer_window_lasts_longer_without_affecting_viewers(scenario: Scenario) -> None:
    grant = await scenario.redeem(PHONE, after(9000))
    await scenario.change(after(9010), access_window_hours=5)
    assert await scenario.feed() == ()
    assert await scenario.plays(grant.claims, after(9011))
    assert (await scenario.refresh(grant.claims, after(10_000))).exp == int(after(13_600).timestamp())


async def test_shortening_a_deactivated_events_window_does_not_open_it(scenario: Scenario) -> None:
    grant = await scenario.redeem(PHONE, after(9000))
    async with scenario.database.write() as db:
        await revocation.deactivate(db, scenario.event.id, after(9005))
    await scenario.change(after(9010), ends_at=after(6600))
    [entry] = await scenario.feed()
    assert entry.revoked
    async with scenario.database.write() as db:
        await revocation.reactivate(db, scenario.event.id, after(9020))
    assert not await scenario.plays(grant.claims, after(9021))
    assert await scenario.plays((await scenario.redeem(PHONE, after(9022))).claims, after(9023))


async def test_fewer_devices_end_the_longest_silent_sessions_only(database: Database) -> None:
    scenario = await new_scenario(database, max_devices=3)
    quiet, loud = await scenario.redeem(PHONE, NOON), await scenario.redeem(LAPTOP, after(1))
    last = await scenario.redeem(TABLET, after(2))
    for grant in (loud, last):
        await beat(database, grant.claims, after(30))
    other = await scenario.redeem(PHONE, after(31), ticket=1)
    await scenario.change(after(40), max_devices=2)
    assert not await scenario.plays(quiet.claims, after(41))
    for grant in (loud, last, other):
        assert await scenario.plays(grant.claims, after(41))
    assert [change.id for change in await scenario.feed()] == [quiet.claims.sid]
    with pytest.raises(SessionOver) as told:
        await scenario.refresh(quiet.claims, after(42))
    assert (told.value.reason, "fewer devices" in str(told.value)) == ("devices", True)


async def test_remaining_sessions_move_to_the_remaining_seats(database: Database) -> None:
    """The device on the last seat stays; if it kept its seat number, the first seat would seem free."""
    scenario = await new_scenario(database, max_devices=3)
    await scenario.redeem(PHONE, NOON)
    await scenario.redeem(LAPTOP, after(1))
    await beat(database, (await scenario.redeem(TABLET, after(2))).claims, after(30))
    await scenario.change(after(40), max_devices=1)
    assert await scenario.seats() == {"tablet": 0}
    with pytest.raises(TicketInUse):
        await scenario.redeem(PHONE, after(41))


async def test_more_devices_find_a_seat_at_once(scenario: Scenario) -> None:
    await scenario.redeem(PHONE, NOON)
    with pytest.raises(TicketInUse):
        await scenario.redeem(LAPTOP, after(1))
    await scenario.change(after(2), max_devices=2)
    await scenario.redeem(LAPTOP, after(3))
    assert await scenario.seats() == {"phone": 0, "laptop": 1}


async def test_the_policy_counts_from_the_next_attempt_on(scenario: Scenario) -> None:
    await scenario.redeem(PHONE, NOON)
    with pytest.raises(TicketInUse) as refused:
        await scenario.redeem(LAPTOP, after(1), takeover=True)
    assert refused.value.can_take_over is False
    await scenario.change(after(2), session_policy="takeover")
    await scenario.redeem(LAPTOP, after(3), takeover=True)
    assert await scenario.endings() == {"phone": "taken-over", "laptop": None}


async def test_a_stale_version_changes_nothing(scenario: Scenario) -> None:
    await scenario.change(after(1), title="First")
    with pytest.raises(Conflict):
        await scenario.change(after(2), title="Second", version=1)
    async with scenario.database.read() as db:
        assert (await events.find(db, scenario.event.id)).title == "First"
