"""The admin API: bulk revocation and deletion of tickets."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.support.clients.api import UNKNOWN_ID, Admin, ControlPlane, ViewerClient

pytestmark = [pytest.mark.anyio, pytest.mark.both_databases]


async def revoke(admin: Admin, ids: list[str]) -> tuple[int, dict[str, Any]]:
    answer = await admin.http.post("/api/admin/tokens/bulk-revoke", json={"tokenIds": ids})
    return answer.status_code, answer.json()


async def statuses(admin: Admin) -> dict[str, str]:
    return {one["id"]: one["status"] for one in (await admin.list("/tokens", limit=200))["data"]}


async def test_many_tickets_are_revoked_in_one_request_each_with_its_own_entry(
    plane: ControlPlane, admin: Admin, phone: ViewerClient
) -> None:
    event_id = await admin.create_event()
    first, second, third, kept = await admin.codes(event_id, 4)
    await phone.validate(first["code"])
    await admin.patch("tokens", third["id"], "revoke")
    cursor = (await plane.feed())["cursor"]
    status, body = await revoke(admin, [first["id"], second["id"], third["id"], first["id"]])
    assert status == 200
    assert {one["id"]: one["status"] for one in body["data"]} == {
        one["id"]: "revoked" for one in (first, second, third)
    }
    page = await plane.feed(cursor)
    assert {(one["kind"], one["id"], one["revoked"]) for one in page["changes"]} == {
        ("code", first["code"], True),
        ("code", second["code"], True),
    }
    until = {one["id"]: datetime.fromisoformat(one["expiresAt"]) for one in page["changes"]}
    assert until[first["code"]] > datetime.now(UTC) + timedelta(minutes=50)
    assert body["revocation"] == page["cursor"]
    assert (await phone.heartbeat()).status_code == 404
    assert (await phone.validate(second["code"])).status_code == 403
    assert (await phone.validate(kept["code"])).status_code == 200


async def test_one_unknown_ticket_is_named_and_prevents_all_changes(plane: ControlPlane, admin: Admin) -> None:
    tickets = await admin.codes(await admin.create_event(), 3)
    status, body = await revoke(admin, [one["id"] for one in tickets] + [UNKNOWN_ID])
    assert (status, UNKNOWN_ID in str(body["error"])) == (404, True)
    assert set((await statuses(admin)).values()) == {"unused"}
    assert (await plane.feed())["changes"] == []


async def test_at_most_a_thousand_tickets_are_revoked_in_one_request(plane: ControlPlane, admin: Admin) -> None:
    tickets = [one["id"] for one in await admin.codes(await admin.create_event(), 1000)]
    assert (await revoke(admin, [*tickets, UNKNOWN_ID]))[0] == 422
    assert (await revoke(admin, []))[0] == 422
    assert (await revoke(admin, ["no id"]))[0] == 422
    assert (await revoke(admin, tickets))[0] == 200
    assert (await admin.list("/tokens", status="revoked"))["pagination"]["total"] == 1000
    assert len((await plane.feed())["changes"]) == 1000


async def test_each_ticket_of_a_bulk_revocation_has_it_in_its_history(admin: Admin) -> None:
    tickets = await admin.codes(await admin.create_event(), 3)
    await revoke(admin, [one["id"] for one in tickets])
    for ticket in tickets:
        history = (await admin.list(f"/tokens/{ticket['id']}/history"))["data"]
        assert [one["entry"]["action"] for one in history["happenings"]] == ["ticket.revoke"]


async def test_a_deleted_ticket_is_gone_and_its_viewers_are_disconnected(
    plane: ControlPlane, admin: Admin, phone: ViewerClient, laptop: ViewerClient
) -> None:
    deleted, kept = await admin.codes(await admin.create_event(), 2)
    await phone.validate(deleted["code"])
    await laptop.validate(kept["code"])
    assert (await admin.http.delete(f"/api/admin/tokens/{deleted['id']}")).status_code == 204
    [change] = (await plane.feed())["changes"]
    assert (change["kind"], change["id"], change["revoked"]) == ("code", deleted["code"], True)
    assert datetime.fromisoformat(change["expiresAt"]) > datetime.now(UTC) + timedelta(minutes=50)
    assert await statuses(admin) == {kept["id"]: "redeemed"}
    assert (await phone.heartbeat()).status_code == (await phone.refresh()).status_code == 404
    assert (await phone.validate(deleted["code"])).status_code == 401
    assert (await laptop.heartbeat()).status_code == 200
    assert (await admin.list("/tokens", search=deleted["code"]))["data"] == []
    assert (await admin.http.delete(f"/api/admin/tokens/{deleted['id']}")).status_code == 404
