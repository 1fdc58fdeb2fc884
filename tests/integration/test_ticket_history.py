"""The history of a ticket, and the diagnosis why a viewer cannot watch."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from control_plane.db.database import Database
from control_plane.lifecycle import diagnosis as verdict
from control_plane.lifecycle import revocation
from control_plane.lifecycle.diagnosis import Diagnosis
from control_plane.sessions import takeovers
from control_plane.sessions.sessions import SeatRules
from control_plane.tickets import history
from tests.support.clients.api import UNKNOWN_ID, Admin, ControlPlane, ViewerClient
from tests.support.data.scenario import LAPTOP, NOON, PHONE, RULES, Scenario, after, new_scenario

pytestmark = [pytest.mark.anyio, pytest.mark.both_databases]


async def history_of(plane: ControlPlane, admin: Admin, ticket_id: str, **query: Any) -> dict[str, Any]:
    await plane.services.audit_queue.write_behind()
    return await admin.list(f"/tokens/{ticket_id}/history", **query)


def summary(found: dict[str, Any]) -> list[tuple[str, str]]:
    """Return what happened, newest first: an entry's action and outcome, or how a session ended."""
    return [
        (one["entry"]["action"], one["entry"]["outcome"])
        if one["kind"] == "entry"
        else ("session", one["session"]["endReason"] or "on")
        for one in found["data"]["happenings"]
    ]


async def test_everything_that_happened_to_a_ticket_is_listed_newest_first(
    plane: ControlPlane, admin: Admin, phone: ViewerClient, laptop: ViewerClient
) -> None:
    first, other = await admin.codes(await admin.create_event(), 2)
    await phone.validate(first["code"])
    await laptop.validate(other["code"])
    await laptop.validate(first["code"])
    await phone.refresh()
    await admin.patch("tokens", first["id"], "revoke")
    await phone.validate(first["code"])
    found = await history_of(plane, admin, first["id"])
    assert summary(found) == [
        ("ticket.redeem", "revoked"),
        ("ticket.revoke", "ok"),  # of the same moment as the end of the session, and written after it
        ("session.end", "ok"),
        ("ticket.redeem", "in-use"),
        ("ticket.redeem", "ok"),
        ("session", "revoked"),
    ]
    times = [datetime.fromisoformat(one["at"]) for one in found["data"]["happenings"]]
    assert times == sorted(times, reverse=True)
    assert first["code"] not in str(found["data"]["happenings"])


async def test_a_session_is_listed_with_its_device_and_duration(
    plane: ControlPlane, admin: Admin, phone: ViewerClient
) -> None:
    ticket = await admin.ticket()
    phone.http.headers["User-Agent"] = "A phone"
    await phone.validate(ticket["code"])
    [session] = [
        one["session"] for one in (await history_of(plane, admin, ticket["id"]))["data"]["happenings"] if one["session"]
    ]
    assert (session["device"], session["address"], session["endedAt"]) == ("A phone", "192.0.2.10", None)
    await phone.release()
    [session] = [
        one["session"] for one in (await history_of(plane, admin, ticket["id"]))["data"]["happenings"] if one["session"]
    ]
    assert (session["endReason"], session["endedAt"] is not None, session["seconds"] >= 0) == ("released", True, True)


async def test_a_long_history_comes_in_pages_without_a_gap(
    plane: ControlPlane, admin: Admin, phone: ViewerClient
) -> None:
    ticket = await admin.ticket()
    for _ in range(4):
        await phone.validate(ticket["code"])
    whole = await history_of(plane, admin, ticket["id"])
    pages = [await history_of(plane, admin, ticket["id"], page=page, limit=3) for page in (1, 2, 3, 4)]
    assert whole["pagination"]["total"] == len(whole["data"]["happenings"]) == 8
    assert [len(page["data"]["happenings"]) for page in pages] == [3, 3, 2, 0]
    assert [one for page in pages for one in page["data"]["happenings"]] == whole["data"]["happenings"]


async def test_a_deleted_tickets_history_stays(plane: ControlPlane, admin: Admin, phone: ViewerClient) -> None:
    ticket = await admin.ticket()
    await phone.validate(ticket["code"])
    await admin.http.delete(f"/api/admin/tokens/{ticket['id']}")
    found = await history_of(plane, admin, ticket["id"])
    assert summary(found) == [("ticket.delete", "ok"), ("ticket.redeem", "ok")]
    assert found["data"]["ticket"] is None
    assert found["data"]["verdict"]["word"] == "deleted"
    assert "by admin." in found["data"]["verdict"]["sentence"]


async def test_the_user_who_revoked_a_ticket_is_named(plane: ControlPlane, admin: Admin) -> None:
    ticket = await admin.ticket()
    assert (await history_of(plane, admin, ticket["id"]))["data"]["verdict"]["word"] == "ok"
    await admin.patch("tokens", ticket["id"], "revoke")
    found = (await history_of(plane, admin, ticket["id"]))["data"]
    assert (found["verdict"]["word"], found["ticket"]["status"]) == ("revoked", "revoked")
    assert found["verdict"]["sentence"].endswith("by admin.")


async def test_a_ticket_that_never_existed_has_no_history(admin: Admin) -> None:
    assert (await admin.http.get(f"/api/admin/tokens/{UNKNOWN_ID}/history")).status_code == 404


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    database = Database(database_url)
    yield database
    await database.close()


async def judge(scenario: Scenario, now: datetime, rules: SeatRules = RULES) -> Diagnosis:
    async with scenario.database.read() as db:
        return await verdict.diagnose(db, await history.subject(db, scenario.tickets[0].id), rules, now)


async def test_a_valid_ticket_has_no_obstacle(database: Database) -> None:
    scenario = await new_scenario(database, max_devices=2)
    assert await judge(scenario, after(1)) == Diagnosis(
        "ok", "Nothing is in the way: the ticket is good until 15:00 on 15 January 2027 UTC and 2 seats are free."
    )
    await scenario.redeem(PHONE, after(2))
    assert (await judge(scenario, after(3))).sentence.endswith("UTC and a seat is free.")


async def test_a_valid_ticket_has_to_wait_before_the_event(database: Database) -> None:
    assert await judge(await new_scenario(database), after(-60)) == Diagnosis(
        "not-started",
        "The event begins at 12:00 on 15 January 2027 UTC; the ticket is good until 15:00 on 15 January 2027 UTC.",
    )


async def test_another_device_has_the_only_seat(database: Database) -> None:
    scenario = await new_scenario(database)
    await scenario.redeem(PHONE, after(60))
    assert await judge(scenario, after(90)) == Diagnosis(
        "in-use", "Another device is using this ticket's only seat since 12:01 on 15 January 2027 UTC."
    )


async def test_a_silent_device_is_no_obstacle(database: Database) -> None:
    scenario = await new_scenario(database)
    await scenario.redeem(PHONE, NOON)
    assert (await judge(scenario, after(60))).word == "in-use"
    assert (await judge(scenario, after(61))).word == "silent"


@pytest.mark.parametrize("policy", ["refuse", "takeover"])
async def test_a_waiting_device_is_no_obstacle(database: Database, policy: str) -> None:
    scenario = await new_scenario(database, session_policy=policy)
    await scenario.redeem(PHONE, NOON)
    rules = replace(RULES, nothing_plays=lambda _event, now: now < after(10))
    found = await judge(scenario, after(1), rules)
    assert (found.word, found.sentence.startswith("Nothing is in the way")) == ("waiting", True)
    assert (await judge(scenario, after(11), rules)).word == "in-use"


async def test_all_seats_are_taken(database: Database) -> None:
    scenario = await new_scenario(database, max_devices=2)
    await scenario.redeem(PHONE, NOON)
    await scenario.redeem(LAPTOP, after(1))
    assert (await judge(scenario, after(2))).sentence.startswith("All 2 seats of this ticket are taken")


async def test_a_seat_can_be_taken_over_unless_that_happens_too_often(database: Database) -> None:
    scenario = await new_scenario(database, session_policy="takeover")
    await scenario.redeem(PHONE, NOON)
    assert "may take over" in (await judge(scenario, after(1))).sentence
    for turn in range(takeovers.MOST):
        await scenario.redeem(LAPTOP, after(turn), takeover=True)
    found = await judge(scenario, after(5))
    assert (found.word, "in 10 min" in found.sentence) == ("taken-over-too-often", True)


async def test_a_closed_or_ended_event_is_an_obstacle(database: Database) -> None:
    scenario = await new_scenario(database)
    async with database.write() as db:
        await revocation.deactivate(db, scenario.event.id, after(1))
    assert await judge(scenario, after(2)) == Diagnosis(
        "event", "The event was deactivated at 12:00 on 15 January 2027 UTC."
    )
    async with database.write() as db:
        await revocation.reactivate(db, scenario.event.id, after(3))
    assert (await judge(scenario, after(10_799))).word == "ok"
    assert await judge(scenario, after(10_800)) == Diagnosis(
        "expired", "The ticket expired at 15:00 on 15 January 2027 UTC."
    )
