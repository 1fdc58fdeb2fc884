"""Doors: the feed's entry of an event is correct after any changes in any order; the time is a parameter."""

import random
from collections.abc import AsyncIterator
from datetime import datetime

import pytest

from authz_sidecar.contract.playback_token import PREVIEW_SID
from control_plane.api.events import Rule
from control_plane.clock import utc_now
from control_plane.db.database import Database
from control_plane.errors import Conflict, EventUnavailable
from control_plane.events import doors, events
from control_plane.lifecycle import deletion, event_changes, revocation
from control_plane.schemas.events import EventDraft
from control_plane.streams import preview
from tests.support.data.scenario import NOON, PHONE, Scenario, after, new_scenario

pytestmark = [pytest.mark.anyio, pytest.mark.both_databases]
BEFORE = after(-3600)


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    database = Database(database_url)
    yield database
    await database.close()


@pytest.fixture
async def scenario(database: Database) -> Scenario:
    return await new_scenario(database, hold_until_start=True)


async def do(scenario: Scenario, rule: Rule, now: datetime) -> None:
    async with scenario.database.write() as db:
        await rule(db, scenario.event.id, now)


async def test_a_new_event_is_held_until_it_starts_and_then_plays_automatically(scenario: Scenario) -> None:
    waiting = await scenario.redeem(PHONE, BEFORE)
    [entry] = await scenario.feed()
    assert (entry.revoked, entry.not_before, entry.until) == (True, None, NOON.timestamp())
    assert not await scenario.plays(waiting.claims, after(-1))
    assert await scenario.plays((await scenario.refresh(waiting.claims, after(-1))), NOON)
    assert await scenario.feed() == (entry,)


async def test_open_doors_allow_waiting_tokens_at_once_and_closed_doors_allow_none(scenario: Scenario) -> None:
    waiting = await scenario.redeem(PHONE, BEFORE)
    await do(scenario, doors.open_doors, after(-3000))
    assert await scenario.plays(waiting.claims, after(-3000))
    await do(scenario, doors.close_doors, after(-2000))
    assert not await scenario.plays(waiting.claims, after(-2000))
    fresh = await scenario.refresh(waiting.claims, after(-10))
    assert not await scenario.plays(fresh, after(60))  # they do not open automatically
    await do(scenario, doors.open_doors, after(100))
    assert await scenario.plays(fresh, after(100))
    assert fresh.sid == waiting.claims.sid


async def test_viewers_can_watch_again_after_the_doors_were_closed(scenario: Scenario) -> None:
    watching = await scenario.redeem(PHONE, after(10))
    await do(scenario, doors.close_doors, after(20))
    assert not await scenario.plays(watching.claims, after(20))
    await do(scenario, doors.open_doors, after(30))
    assert await scenario.plays(watching.claims, after(30))


async def test_a_new_start_time_moves_the_opening_of_the_doors(scenario: Scenario) -> None:
    waiting = await scenario.redeem(PHONE, after(-600))
    await scenario.change(after(-500), starts_at=after(600))
    assert not await scenario.plays(waiting.claims, after(599))
    assert await scenario.plays(waiting.claims, after(600))
    await scenario.change(after(-400), starts_at=after(-500))
    assert await scenario.plays(waiting.claims, after(-400))


async def test_an_event_without_a_hold_plays_at_once_and_the_hold_can_be_changed(scenario: Scenario) -> None:
    waiting = await scenario.redeem(PHONE, BEFORE)
    await scenario.change(after(-3000), hold_until_start=False)
    assert await scenario.plays(waiting.claims, after(-3000))
    await do(scenario, doors.open_doors, after(-2900))
    await scenario.change(after(-2800), hold_until_start=True)
    assert not await scenario.plays(waiting.claims, after(-2800))


async def test_other_changes_do_not_affect_the_doors(scenario: Scenario) -> None:
    waiting = await scenario.redeem(PHONE, BEFORE)
    await do(scenario, doors.open_doors, after(-3000))
    await scenario.change(after(-2900), title="Another title", starts_at=after(60))
    assert await scenario.plays(waiting.claims, after(-2900))
    await do(scenario, doors.close_doors, after(-2800))
    await scenario.change(after(-2700), ends_at=after(9000), hold_until_start=False)
    assert not await scenario.plays(waiting.claims, after(-2700))


async def test_a_deactivation_takes_precedence_over_the_doors_and_lifting_it_restores_them(scenario: Scenario) -> None:
    waiting = await scenario.redeem(PHONE, BEFORE)
    await do(scenario, revocation.deactivate, after(-3000))
    [entry] = await scenario.feed()
    assert (entry.revoked, entry.until) == (True, None)
    with pytest.raises(Conflict):
        await do(scenario, doors.open_doors, after(-2950))
    await do(scenario, revocation.reactivate, after(-2900))
    again = await scenario.redeem(PHONE, after(-2800))
    assert not await scenario.plays(again.claims, after(-1))
    assert await scenario.plays((await scenario.refresh(again.claims, after(-1))), NOON)
    assert not await scenario.plays(waiting.claims, NOON)  # refused tokens stay refused


async def test_a_deactivated_event_that_starts_stays_closed(scenario: Scenario) -> None:
    waiting = await scenario.redeem(PHONE, after(-60))
    await do(scenario, revocation.deactivate, after(-30))
    await scenario.change(after(-20), starts_at=after(10))
    assert not await scenario.plays(waiting.claims, after(60))
    with pytest.raises(EventUnavailable):
        await scenario.redeem(PHONE, after(60))


async def test_a_shorter_window_also_refuses_old_tokens_behind_closed_doors(scenario: Scenario) -> None:
    waiting = await scenario.redeem(PHONE, after(-60))
    await scenario.change(after(-30), ends_at=after(60), access_window_hours=1, starts_at=after(30))
    latest = after(60 + 3600 + 60).timestamp()
    assert not await scenario.plays(waiting.claims, after(31)) or waiting.claims.exp <= latest
    fresh = await scenario.refresh(waiting.claims, after(-10))
    assert not await scenario.plays(fresh, after(29))
    assert await scenario.plays(fresh, after(31))


async def test_the_entry_is_kept_as_long_as_a_token_can_be_issued(scenario: Scenario) -> None:
    [entry] = await scenario.feed()
    assert entry.expires_at >= after(7200 + 3600 + 60).timestamp()
    await scenario.change(BEFORE, ends_at=after(72_000))
    [entry] = await scenario.feed()
    assert entry.expires_at >= after(72_000 + 3600 + 60).timestamp()


async def test_a_recreated_event_is_held_again_and_old_tokens_stay_refused(scenario: Scenario) -> None:
    old = await scenario.redeem(PHONE, after(-60))
    async with scenario.database.write() as db:
        await deletion.delete_event(db, scenario.event.id, scenario.event.title, after(-50))
    draft = {"id": scenario.event.id, "title": "Again", "starts_at": NOON, "ends_at": after(7200)}
    async with scenario.database.write() as db:
        await event_changes.create_event(db, EventDraft.model_validate(draft), utc_now())
    [entry] = await scenario.feed()
    assert entry.until == NOON.timestamp()
    assert not await scenario.plays(old.claims, after(-40))
    assert entry.not_before is not None
    assert entry.expires_at >= old.claims.exp


async def test_an_organiser_can_preview_behind_closed_doors_but_not_a_deactivated_event(scenario: Scenario) -> None:
    claims = preview.claims_of(scenario.event, BEFORE)
    assert await scenario.plays(claims, BEFORE)
    assert (claims.sid, claims.preview, claims.exp - claims.iat) == (PREVIEW_SID, True, 300)
    await do(scenario, revocation.deactivate, after(-3500))
    assert not await scenario.plays(claims, after(-3500))
    async with scenario.database.read() as db:
        with pytest.raises(Conflict):
            preview.claims_of(await events.find(db, scenario.event.id), after(-3500))


CHANGES = {
    "open": doors.open_doors,
    "close": doors.close_doors,
    "deactivate": revocation.deactivate,
    "reactivate": revocation.reactivate,
}


@pytest.mark.parametrize("seed", range(6))
async def test_the_gate_agrees_with_the_event_after_changes_in_any_order(scenario: Scenario, seed: int) -> None:
    """Make a random change once a minute; after each, compare the database's answer with the gate's."""
    chance = random.Random(seed)  # noqa: S311 - random test data, not secret
    grant = None
    for minute in range(-40, 40, 2):
        now = after(60 * minute)
        match chance.choice([*CHANGES, "start", "hold"]):
            case "start":
                await scenario.change(now, starts_at=after(60 * chance.randrange(-60, 60)))
            case "hold":
                await scenario.change(now, hold_until_start=chance.random() < 0.5)
            case change:
                try:
                    await do(scenario, CHANGES[change], now)
                except Conflict:
                    assert change in {"open", "close"}
        try:
            grant = await scenario.redeem(PHONE, after(60 * minute + 61), takeover=True)
        except EventUnavailable:
            assert not (grant and await scenario.plays(grant.claims, after(60 * minute + 62)))
            continue
        is_held = doors.is_held(grant.event, after(60 * minute + 63))
        assert await scenario.plays(grant.claims, after(60 * minute + 63)) is not is_held
        await scenario.release_all(after(60 * minute + 64))
