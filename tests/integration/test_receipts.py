"""Receipts: a request with a cursor acknowledges what is in force at an edge, and admins can see it."""

from typing import Any

import anyio
import httpx2
import pytest
from sqlalchemy import update

from authz_sidecar.contract.feed import Cursor
from control_plane.clock import utc_now
from control_plane.revocations import edges
from control_plane.tables import FeedEpoch
from tests.support.clients.api import INTERNAL_KEY, Admin, ControlPlane, make_settings, running

pytestmark = [pytest.mark.anyio, pytest.mark.both_databases]


async def ask(plane: ControlPlane, cursor: str = "", **query: str) -> httpx2.Response:
    async with plane.browser() as sidecar:
        headers = {"X-Internal-Api-Key": INTERNAL_KEY}
        return await sidecar.get("/internal/feed", params={"cursor": cursor} | query, headers=headers)


async def revoke(admin: Admin) -> str:
    """Revoke a ticket and return its position in the feed from the response."""
    ticket = await admin.ticket()
    answer = await admin.http.patch(f"/api/admin/tokens/{ticket['id']}/revoke")
    return str(answer.json()["revocation"])


async def receipt(admin: Admin, cursor: str) -> dict[str, Any]:
    body: dict[str, Any] = (await admin.list(f"/revocations/{cursor}"))["data"]
    return body


async def edges_of(admin: Admin) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await admin.list("/edges"))["data"]
    return found


async def test_revocations_and_lifts_return_their_position_in_the_feed(plane: ControlPlane, admin: Admin) -> None:
    ticket = await admin.ticket()
    named = []
    for kind, identifier, action in (
        ("tokens", ticket["id"], "revoke"),
        ("tokens", ticket["id"], "unrevoke"),
        ("events", ticket["eventId"], "deactivate"),
        ("events", ticket["eventId"], "reactivate"),
    ):
        answer = await admin.http.patch(f"/api/admin/{kind}/{identifier}/{action}")
        named.append(answer.json()["revocation"])
        assert named[-1] == (await plane.feed())["cursor"]
    assert len(set(named)) == 4


async def test_a_revocation_is_in_force_only_at_the_edge_that_acknowledged_it(
    plane: ControlPlane, admin: Admin
) -> None:
    start = (await ask(plane, edge="north", instance="1")).json()["cursor"]
    for edge in ("north", "south"):
        await ask(plane, start, edge=edge, instance="1")
    cursor = await revoke(admin)
    assert [edge["inForce"] for edge in (await receipt(admin, cursor))["edges"]] == [False, False]
    assert (await ask(plane, start, edge="north", instance="1")).json()["cursor"] == cursor
    await ask(plane, cursor, edge="north", instance="1")
    told = await receipt(admin, cursor)
    assert (told["cursor"], told["inForceEverywhere"]) == (cursor, False)
    north, south = told["edges"]
    assert (north["name"], north["inForce"], north["liveInstances"]) == ("north", True, 1)
    assert 0 <= north["afterSeconds"] < 30
    assert (south["name"], south["inForce"], south["afterSeconds"]) == ("south", False, None)
    await ask(plane, cursor, edge="south", instance="1")
    assert (await receipt(admin, cursor))["inForceEverywhere"] is True


async def test_a_waiting_sidecar_has_already_acknowledged(plane: ControlPlane, admin: Admin) -> None:
    cursor = await revoke(admin)
    with anyio.fail_after(25):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(lambda: ask(plane, cursor, edge="north", instance="1", wait="30"))
            while not (await receipt(admin, cursor))["edges"]:
                await anyio.lowlevel.checkpoint()
            plane.services.database.announcements.close()
    assert (await receipt(admin, cursor))["inForceEverywhere"] is True


async def test_a_revocation_is_in_force_at_an_edge_once_all_its_live_sidecars_have_it(
    plane: ControlPlane, admin: Admin
) -> None:
    start = (await plane.feed())["cursor"]
    for instance in ("1", "2"):
        await ask(plane, start, edge="north", instance=instance)
    cursor = await revoke(admin)
    await ask(plane, cursor, edge="north", instance="1")
    assert (await receipt(admin, cursor))["inForceEverywhere"] is False
    await ask(plane, cursor, edge="north", instance="2")
    assert (await receipt(admin, cursor))["inForceEverywhere"] is True
    [edge] = await edges_of(admin)
    assert (edge["name"], edge["liveInstances"], edge["receipt"]) == ("north", 2, cursor)


async def test_the_lag_grows_while_an_edge_does_not_acknowledge_and_is_measured_when_it_does(
    plane: ControlPlane, admin: Admin
) -> None:
    start = (await plane.feed())["cursor"]
    await ask(plane, start, edge="north", instance="1")
    assert [edge["lagSeconds"] for edge in await edges_of(admin)] == [None]
    cursor = await revoke(admin)
    first, second = [(await edges_of(admin))[0]["lagSeconds"] for _ in range(2)]
    assert 0 <= first <= second
    await ask(plane, start, edge="north", instance="1")
    await ask(plane, cursor, edge="north", instance="1")
    lags = [(await edges_of(admin))[0]["lagSeconds"] for _ in range(2)]
    assert lags[0] == lags[1] >= first


async def test_a_snapshot_is_acknowledged_only_by_the_request_after_it(plane: ControlPlane, admin: Admin) -> None:
    cursor = await revoke(admin)
    for asked in ("", "other.5", "e.1.snapshot"):
        await ask(plane, asked, edge="north", instance="1")
        assert (await receipt(admin, cursor))["inForceEverywhere"] is False
    await ask(plane, cursor, edge="north", instance="1")
    assert (await receipt(admin, cursor))["edges"][0]["inForce"] is True


@pytest.mark.parametrize("name", ["edge", "instance"])
@pytest.mark.parametrize("value", ["", "a b", "x" * 65, "ä", "a\n", "../x", "<b>"])
async def test_an_invalid_name_is_refused(plane: ControlPlane, name: str, value: str) -> None:
    answer = await ask(plane, **({"edge": "north", "instance": "1"} | {name: value}))
    assert (answer.status_code, answer.json()["reason"]) == (400, "malformed")
    assert plane.services.receipts.states(0) == []


async def test_a_sidecar_without_a_name_also_gets_the_feed(plane: ControlPlane, admin: Admin) -> None:
    cursor = await revoke(admin)
    assert (await ask(plane, cursor)).status_code == (await ask(plane, cursor, instance="1")).status_code == 200
    assert await edges_of(admin) == []
    assert (await ask(plane, cursor, edge="north")).status_code == 200
    assert (await edges_of(admin))[0]["receipt"] == cursor


@pytest.mark.parametrize("cursor", ["nonsense", "other.1", "1", "x" * 500])
async def test_a_receipt_for_an_unknown_position_is_not_found(admin: Admin, cursor: str) -> None:
    assert (await admin.http.get(f"/api/admin/revocations/{cursor}")).status_code == 404


@pytest.mark.parametrize("path", ["revocations/e.1", "edges", "sessions"])
async def test_receipts_require_an_admin(plane: ControlPlane, path: str) -> None:
    async with plane.browser() as http:
        assert (await http.get(f"/api/admin/{path}")).status_code == 401


async def test_names_and_receipts_survive_a_restart(database_url: str) -> None:
    async with running(make_settings(database_url)) as plane, plane.browser() as http:
        admin = Admin(http)
        await admin.sign_in()
        cursor = await revoke(admin)
        await ask(plane, cursor, edge="north", instance="1")
    async with running(make_settings(database_url)) as plane, plane.browser() as http:
        admin = Admin(http)
        await admin.sign_in()
        [edge] = await edges_of(admin)
        assert (edge["name"], edge["receipt"], edge["liveInstances"]) == ("north", cursor, 1)
        assert (await receipt(admin, cursor))["edges"][0] == {
            "name": "north",
            "liveInstances": 1,
            "inForce": True,
            "afterSeconds": None,
        }


async def test_an_edge_that_is_silent_for_a_week_is_removed(plane: ControlPlane, admin: Admin) -> None:
    services, cursor = plane.services, await revoke(admin)
    for name, at in (("old", utc_now() - edges.FORGOTTEN_AFTER * 1.01), ("new", utc_now())):
        place = Cursor.parse(cursor)
        assert place
        services.receipts.record_receipt(edges.Instance(name, "1"), place, at.timestamp())
        await edges.write_behind(services.database, services.receipts, at)
    services.receipts._edges.clear()
    assert [edge["name"] for edge in await edges_of(admin)] == ["new"]


async def test_a_receipt_from_before_a_restored_backup_is_ignored(plane: ControlPlane, admin: Admin) -> None:
    services, cursor = plane.services, await revoke(admin)
    await ask(plane, cursor, edge="north", instance="1")
    await edges.write_behind(services.database, services.receipts, utc_now())
    async with services.database.write() as db:
        await db.execute(update(FeedEpoch).values(epoch="restored"))
    answer = (await ask(plane, cursor, edge="south", instance="1")).json()
    assert (answer["snapshot"], answer["cursor"].split(".")[0]) == (True, "restored")
    told = await receipt(admin, answer["cursor"])
    assert [(edge["name"], edge["inForce"]) for edge in told["edges"]] == [("north", False), ("south", False)]


async def test_two_control_planes_on_one_database_share_their_receipts(database_url: str) -> None:
    settings = make_settings(database_url)
    async with running(settings) as one, running(settings) as other, one.browser() as http:
        admin = Admin(http)
        await admin.sign_in()
        cursor = await revoke(admin)
        before = f"{cursor.split('.')[0]}.0"
        await ask(one, cursor, edge="north", instance="1")
        await ask(other, before, edge="north", instance="2")
        await edges.write_behind(other.services.database, other.services.receipts, utc_now())
        assert (await receipt(admin, cursor))["inForceEverywhere"] is False
        await ask(one, cursor, edge="north", instance="2")
        told = await receipt(admin, cursor)
        assert (told["inForceEverywhere"], told["edges"][0]["liveInstances"]) == (True, 2)
        await edges.write_behind(one.services.database, one.services.receipts, utc_now())
        await edges.write_behind(other.services.database, other.services.receipts, utc_now())
        assert (await receipt(admin, cursor))["inForceEverywhere"] is True
