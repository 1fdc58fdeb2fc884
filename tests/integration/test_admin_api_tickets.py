"""The admin API: tickets are generated, revoked and restored."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from authz_sidecar.contract.playback_token import CODE
from tests.support.clients.api import Admin, ControlPlane, ViewerClient

pytestmark = pytest.mark.anyio


async def test_generated_codes_are_different_and_valid_until_the_access_window_ends(admin: Admin) -> None:
    event_id = await admin.create_event(accessWindowHours=2)
    made = await admin.codes(event_id, 1000, label="Press")
    ends_at = datetime.fromisoformat((await admin.list(f"/events/{event_id}"))["data"]["endsAt"])
    assert len({ticket["code"] for ticket in made}) == 1000
    assert all(CODE.fullmatch(ticket["code"]) and len(ticket["code"]) == 12 for ticket in made)
    assert {(ticket["eventId"], ticket["label"], ticket["status"]) for ticket in made} == {
        (event_id, "Press", "unused")
    }
    expiries = {datetime.fromisoformat(ticket["expiresAt"]) for ticket in made}
    assert expiries == {ends_at + timedelta(hours=2)}
    assert (await admin.list("/tokens"))["pagination"]["total"] == 1000


@pytest.mark.parametrize(
    ("order", "field"),
    [
        ({"count": 0}, "count"),
        ({"count": 1001}, "count"),
        ({"count": "x"}, "count"),
        ({}, "count"),
        ({"count": 1, "label": "x" * 201}, "label"),
        ({"count": 1, "code": "MYOWNCODE123"}, "code"),
    ],
)
async def test_an_invalid_order_creates_no_tickets(admin: Admin, order: dict[str, Any], field: str) -> None:
    event_id = await admin.create_event()
    answer = await admin.http.post(f"/api/admin/events/{event_id}/tokens/generate", json=order)
    assert (answer.status_code, answer.json()["fields"].keys()) == (422, {field})
    assert (await admin.list("/tokens"))["pagination"]["total"] == 0


async def test_tickets_are_listed_in_pages_of_fifty_and_none_is_shown_twice(admin: Admin) -> None:
    event_id = await admin.create_event()
    codes = {ticket["code"] for ticket in await admin.codes(event_id, 120)}
    pages = [await admin.list("/tokens", page=page) for page in (1, 2, 3)]
    assert [len(page["data"]) for page in pages] == [50, 50, 20]
    assert {ticket["code"] for page in pages for ticket in page["data"]} == codes
    assert pages[0]["pagination"] == {"page": 1, "limit": 50, "total": 120, "totalPages": 3}


async def test_the_tickets_of_one_event_are_listed_under_it_and_by_filter(admin: Admin) -> None:
    mine, other = await admin.create_event(), await admin.create_event()
    [ticket] = await admin.codes(mine)
    await admin.codes(other, 2)
    assert (await admin.list(f"/events/{mine}/tokens"))["data"] == [ticket]
    assert (await admin.list("/tokens", eventId=mine))["data"] == [ticket]
    assert (await admin.list("/tokens"))["pagination"]["total"] == 3


async def test_each_status_filter_shows_exactly_the_tickets_of_that_status(admin: Admin, phone: ViewerClient) -> None:
    event_id = await admin.create_event()
    unused, redeemed, revoked, both = await admin.codes(event_id, 4)
    expired = await admin.ticket(starts_in_hours=-100, ends_in_hours=-90)
    expired_and_revoked = await admin.ticket(starts_in_hours=-100, ends_in_hours=-90)
    await phone.validate(redeemed["code"])
    await phone.validate(both["code"])
    for ticket in (revoked, both, expired_and_revoked):
        await admin.patch("tokens", ticket["id"], "revoke")
    expected = {
        "unused": {unused["id"]},
        "redeemed": {redeemed["id"]},
        "revoked": {revoked["id"], both["id"], expired_and_revoked["id"]},
        "expired": {expired["id"]},
    }
    for status, ids in expected.items():
        listed = (await admin.list("/tokens", status=status))["data"]
        assert {ticket["id"] for ticket in listed} == ids
        assert {ticket["status"] for ticket in listed} == {status}


async def test_an_unknown_status_is_refused_with_the_list_of_known_ones(admin: Admin) -> None:
    answer = await admin.http.get("/api/admin/tokens", params={"status": "lost"})
    assert answer.status_code == 422
    assert "unused" in answer.json()["fields"]["status"]


async def test_tickets_are_found_by_a_part_of_code_or_label_in_any_case(admin: Admin) -> None:
    event_id = await admin.create_event()
    [press] = await admin.codes(event_id, label="Press 100%")
    await admin.codes(event_id, label="Guest_1")
    for search in ("press", "PRESS", "100%", press["code"][3:9], press["code"][3:9].swapcase()):
        found = (await admin.list("/tokens", search=search))["data"]
        assert [ticket["id"] for ticket in found] == [press["id"]], search
    assert (await admin.list("/tokens", search="100%1"))["data"] == []
    assert (await admin.list("/tokens", search="%"))["pagination"]["total"] == 1
    assert (await admin.list("/tokens", search="_"))["pagination"]["total"] == 1


async def test_revoking_is_idempotent(plane: ControlPlane, admin: Admin) -> None:
    ticket = await admin.ticket()
    first = await admin.patch("tokens", ticket["id"], "revoke")
    second = await admin.patch("tokens", ticket["id"], "revoke")
    assert first == second
    assert (first["status"], first["revokedAt"] is not None) == ("revoked", True)
    assert len((await plane.feed())["changes"]) == 1


async def test_a_restored_ticket_is_as_before(admin: Admin, phone: ViewerClient) -> None:
    ticket = await admin.ticket()
    await admin.patch("tokens", ticket["id"], "revoke")
    assert await admin.patch("tokens", ticket["id"], "unrevoke") == ticket
    assert await admin.patch("tokens", ticket["id"], "unrevoke") == ticket
    assert (await phone.validate(ticket["code"])).status_code == 200


async def test_revoking_ends_the_ticket_for_all_of_its_devices(
    admin: Admin, phone: ViewerClient, laptop: ViewerClient
) -> None:
    ticket = await admin.ticket(maxDevices=2)
    await phone.validate(ticket["code"])
    await laptop.validate(ticket["code"])
    assert (await admin.patch("tokens", ticket["id"], "revoke"))["watching"] == 0
    assert (await phone.heartbeat()).status_code == (await laptop.heartbeat()).status_code == 404
    assert (await admin.list("/tokens"))["data"][0]["watching"] == 0


async def test_an_expired_ticket_can_be_revoked_but_not_restored(admin: Admin) -> None:
    ticket = await admin.ticket(starts_in_hours=-100, ends_in_hours=-90)
    await admin.patch("tokens", ticket["id"], "revoke")
    answer = await admin.http.patch(f"/api/admin/tokens/{ticket['id']}/unrevoke")
    assert (answer.status_code, answer.json()["reason"]) == (409, "conflict")
