"""The revocations API in its published form, for other media servers."""

from datetime import UTC, datetime, timedelta
from typing import Any

import anyio
import httpx2
import pytest

from control_plane.revocations import published_revocations
from tests.support.clients.api import INTERNAL_KEY, Admin, ControlPlane, ViewerClient

pytestmark = [pytest.mark.anyio, pytest.mark.both_databases]
EVER = "1970-01-01T00:00:00Z"


async def get(plane: ControlPlane, key: str = INTERNAL_KEY, **query: str) -> httpx2.Response:
    async with plane.browser() as server:
        return await server.get("/api/revocations", params=query, headers={"X-Internal-Api-Key": key})


async def published(plane: ControlPlane, since: str = EVER) -> dict[str, Any]:
    answer = await get(plane, since=since)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


async def test_the_response_has_exactly_the_published_form(plane: ControlPlane, admin: Admin) -> None:
    event_id = await admin.create_event()
    codes = sorted(ticket["code"] for ticket in await admin.codes(event_id, 3))
    ticket = await admin.ticket()
    revoked = await admin.patch("tokens", ticket["id"], "revoke")
    await admin.patch("events", event_id, "deactivate")
    body = await published(plane)
    assert body.keys() == {"revocations", "eventDeactivations", "serverTime"}
    [revocation], [deactivation] = body["revocations"], body["eventDeactivations"]
    assert revocation.keys() == {"code", "revokedAt"}
    assert revocation["code"] == ticket["code"]
    assert datetime.fromisoformat(revocation["revokedAt"]) == datetime.fromisoformat(revoked["revokedAt"])
    assert deactivation.keys() == {"eventId", "deactivatedAt", "tokenCodes"}
    assert (deactivation["eventId"], deactivation["tokenCodes"]) == (event_id, codes)
    assert abs(datetime.fromisoformat(body["serverTime"]) - datetime.now(UTC)) < timedelta(minutes=1)


async def test_without_revocations_both_lists_are_empty(plane: ControlPlane, admin: Admin) -> None:
    await admin.ticket()
    body = await published(plane)
    assert (body["revocations"], body["eventDeactivations"]) == ([], [])


async def test_polling_from_the_last_answer_misses_no_revocation_and_on_sqlite_returns_each_once(
    plane: ControlPlane, admin: Admin
) -> None:
    made = await admin.codes(await admin.create_event(), 6)
    since, heard = EVER, []
    for ticket in made:
        await admin.patch("tokens", ticket["id"], "revoke")
        body = await published(plane, since)
        since = body["serverTime"]
        heard.append([revocation["code"] for revocation in body["revocations"]])
    assert [codes[-1] for codes in heard] == [ticket["code"] for ticket in made]
    if plane.services.database.is_sqlite:  # with one writer, a reader never meets an open transaction
        assert [len(codes) for codes in heard] == [1] * len(made)
        assert (await published(plane, since))["revocations"] == []


async def test_no_revocation_is_missed_between_two_requests_during_many_writes(
    plane: ControlPlane, admin: Admin
) -> None:
    made = await admin.codes(await admin.create_event(), 60)
    expected, heard, since = {ticket["code"] for ticket in made}, set[str](), EVER

    async def revoke(tickets: list[dict[str, Any]]) -> None:
        for ticket in tickets:
            await admin.patch("tokens", ticket["id"], "revoke")

    with anyio.fail_after(60):
        async with anyio.create_task_group() as tasks:
            for number in range(5):
                tasks.start_soon(revoke, made[number::5])
            while heard != expected:
                body = await published(plane, since)
                heard |= {revocation["code"] for revocation in body["revocations"]}
                since = body["serverTime"]


async def test_lifted_revocations_are_not_listed(plane: ControlPlane, admin: Admin) -> None:
    ticket = await admin.ticket()
    for cut, lift, kind, identifier in (
        ("revoke", "unrevoke", "tokens", ticket["id"]),
        ("deactivate", "reactivate", "events", ticket["eventId"]),
    ):
        await admin.patch(kind, identifier, cut)
        body = await published(plane)
        assert len(body["revocations"]) + len(body["eventDeactivations"]) == 1
        await admin.patch(kind, identifier, lift)
        body = await published(plane)
        assert (body["revocations"], body["eventDeactivations"]) == ([], [])


async def test_a_deactivation_is_listed_from_its_own_time_on(plane: ControlPlane, admin: Admin) -> None:
    event_id = await admin.create_event()
    before = (await published(plane))["serverTime"]
    await admin.patch("events", event_id, "deactivate")
    [deactivation] = (await published(plane, before))["eventDeactivations"]
    assert (await published(plane, deactivation["deactivatedAt"]))["eventDeactivations"] == [deactivation]
    twice = timedelta(0) if plane.services.database.is_sqlite else published_revocations._UNDER_WAY
    later = datetime.fromisoformat(deactivation["deactivatedAt"]) + twice + timedelta(microseconds=1)
    assert (await published(plane, later.isoformat()))["eventDeactivations"] == []


@pytest.mark.parametrize("key", ["", "wrong", INTERNAL_KEY[:-1], INTERNAL_KEY + "x"])
@pytest.mark.parametrize("query", [{"since": EVER}, {"since": "soon"}, {}])
async def test_a_wrong_key_is_refused_before_anything_else(
    plane: ControlPlane, key: str, query: dict[str, str]
) -> None:
    assert (await get(plane, key, **query)).status_code == 401


@pytest.mark.parametrize(
    "since", ["", "soon", "1700000000", "2027-01-15", "2027-01-15T20:00:00", "2027-13-01T00:00:00Z", "0001-01-01T00Z"]
)
async def test_an_invalid_since_or_one_without_a_zone_is_refused(plane: ControlPlane, since: str) -> None:
    answer = await get(plane, since=since)
    assert (answer.status_code, answer.json()["reason"]) == (400, "malformed")


async def test_a_missing_since_is_refused(plane: ControlPlane) -> None:
    assert (await get(plane)).status_code == 400


@pytest.mark.parametrize("since", ["2026-01-15T20:00:00%2B02:00", "2026-01-15T20:00:00+02:00", "2026-01-15T20:00Z"])
async def test_a_zone_with_an_unencoded_plus_is_understood(plane: ControlPlane, since: str) -> None:
    async with plane.browser() as server:
        headers = {"X-Internal-Api-Key": INTERNAL_KEY}
        assert (await server.get(f"/api/revocations?since={since}", headers=headers)).status_code == 200


async def test_deleted_objects_are_listed_as_long_as_their_tokens_could_be_valid(
    plane: ControlPlane, admin: Admin, phone: ViewerClient
) -> None:
    ticket, event_id = await admin.ticket(), await admin.create_event(title="Gone")
    assert (await phone.validate(ticket["code"])).status_code == 200
    assert (await admin.http.delete(f"/api/admin/tokens/{ticket['id']}")).status_code == 204
    confirmed = {"X-Confirm-Delete": "Gone"}
    assert (await admin.http.delete(f"/api/admin/events/{event_id}", headers=confirmed)).status_code == 204
    body = await published(plane)
    assert [revocation["code"] for revocation in body["revocations"]] == [ticket["code"]]
    assert [(gone["eventId"], gone["tokenCodes"]) for gone in body["eventDeactivations"]] == [(event_id, [])]
