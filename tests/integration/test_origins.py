"""Events with their own origin: which addresses are allowed, and the list for sidecars."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest
from sqlalchemy import update

from control_plane.tables import Event
from tests.support.clients.api import INTERNAL_KEY, Admin, ControlPlane, event_body, make_settings, running

pytestmark = pytest.mark.anyio
ADDRESS = "https://media.example/live/a/"


@pytest.fixture
async def plane(database_url: str) -> AsyncIterator[ControlPlane]:
    async with running(make_settings(database_url, upstream_allowed_hosts="Media.Example, 10.0.0.5:8888")) as started:
        yield started


async def listed(plane: ControlPlane, **headers: str) -> httpx2.Response:
    async with plane.browser() as sidecar:
        return await sidecar.get("/internal/origins", headers={"X-Internal-Api-Key": INTERNAL_KEY} | headers)


async def origins(plane: ControlPlane) -> dict[str, str]:
    found: dict[str, str] = (await listed(plane)).json()["origins"]
    return found


async def put(plane: ControlPlane, event_id: str, **values: Any) -> None:
    """Write values into the database that the API would refuse."""
    async with plane.services.database.write() as db:
        await db.execute(update(Event).where(Event.id == event_id).values(**values))


async def test_an_event_may_name_its_own_origin_on_an_allowed_host(admin: Admin, plane: ControlPlane) -> None:
    event = await admin.create_event(streamUrl="https://MEDIA.example:443/live/a")
    plain = await admin.create_event()
    shown = {row["id"]: row["streamUrl"] for row in (await admin.list("/events"))["data"]}
    assert shown == {event: ADDRESS, plain: None}
    assert await origins(plane) == {event: ADDRESS}


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("https://elsewhere.example/live/", "elsewhere.example"),
        ("http://media.example:8080/", "UPSTREAM_ALLOWED_HOSTS"),
        ("https://user:hunter2@media.example/", "Please enter an address"),
        ("https://media.example/../", "Please enter an address"),
        ("nonsense", "Please enter an address"),
        ("https://media.example/" + "x" * 500, "500 characters"),
        (7, "string"),
    ],
)
async def test_any_other_address_is_refused_like_any_invalid_field(admin: Admin, address: object, says: str) -> None:
    answer = await admin.http.post("/api/admin/events", json=event_body() | {"streamUrl": address})
    body = answer.json()
    assert (answer.status_code, body["reason"], body["error"]) == (422, "invalid", "Some values are invalid.")
    assert body["fields"].keys() == {"streamUrl"}
    assert says in body["fields"]["streamUrl"]
    assert "hunter2" not in answer.text
    assert (await admin.list("/events"))["data"] == []


async def test_without_a_list_of_hosts_no_event_may_name_an_origin(database_url: str) -> None:
    async with running(make_settings(database_url)) as plane, plane.browser() as http:
        admin = Admin(http)
        await admin.sign_in()
        answer = await http.post("/api/admin/events", json=event_body() | {"streamUrl": ADDRESS})
    assert (answer.status_code, answer.json()["fields"].keys()) == (422, {"streamUrl"})


async def test_origins_require_the_internal_key(plane: ControlPlane) -> None:
    answer = await listed(plane, **{"X-Internal-Api-Key": "wrong"})
    assert answer.status_code == 401
    assert "origins" not in answer.json()


async def test_an_unchanged_list_is_answered_with_304(admin: Admin, plane: ControlPlane) -> None:
    await admin.create_event(streamUrl=ADDRESS)
    first = await listed(plane)
    again = await listed(plane, **{"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    await admin.create_event(streamUrl=ADDRESS)
    changed = await listed(plane, **{"If-None-Match": first.headers["etag"]})
    assert (changed.status_code, len(changed.json()["origins"])) == (200, 2)


async def test_an_event_is_listed_as_long_as_its_tokens_can_be_valid(admin: Admin, plane: ControlPlane) -> None:
    event = await admin.create_event(streamUrl=ADDRESS, accessWindowHours=168)
    now = datetime.now(UTC)
    starts = now - timedelta(days=30)
    for ends_at, is_listed in ((timedelta(hours=168, seconds=20), True), (timedelta(hours=168, seconds=70), False)):
        await put(plane, event, starts_at=starts, ends_at=now - ends_at)
        assert (await origins(plane) == {event: ADDRESS}) is is_listed
    await put(plane, event, ends_at=now - timedelta(hours=2), access_window_hours=1)
    assert await origins(plane) == {}


@pytest.mark.parametrize("state", [{"is_active": False}, {"is_archived": True}])
async def test_a_deactivated_or_archived_event_keeps_its_origin(
    admin: Admin, plane: ControlPlane, state: dict[str, bool]
) -> None:
    event = await admin.create_event(streamUrl=ADDRESS)
    await put(plane, event, **state)
    assert await origins(plane) == {event: ADDRESS}


async def test_an_address_written_directly_into_the_database_is_normalized_or_left_out(
    admin: Admin, plane: ControlPlane
) -> None:
    odd, mad, elsewhere = [await admin.create_event() for _ in range(3)]
    await put(plane, odd, stream_url="HTTPS://Media.Example:443/x")
    await put(plane, mad, stream_url="https://media.example/?secret")
    await put(plane, elsewhere, stream_url="https://elsewhere.example/x/")
    told = {odd: "https://media.example/x/", elsewhere: "https://elsewhere.example/x/"}
    assert await origins(plane) == told, "nginx has the list of hosts and refuses the second"


async def shown(admin: Admin, event: str, **what: str | None) -> Any:
    return await admin.http.put(f"/api/admin/events/{event}/origin-credentials", json=what)


async def test_an_origins_credentials_are_sealed_and_sent_to_edges_only(admin: Admin, plane: ControlPlane) -> None:
    event = await admin.create_event(streamUrl=ADDRESS)
    assert (await admin.list(f"/events/{event}"))["data"]["hasOriginHeader"] is False
    answer = await shown(admin, event, header="Authorization:Bearer hunter2", query="?signature=hunter3")
    assert answer.status_code == 200
    everything = answer.text + str(await admin.list("/events")) + str(await admin.list("/audit"))
    async with plane.services.database.read() as db:
        found = await db.get(Event, event)
    assert found
    everything += f"{found.origin_header}{found.origin_query}"
    assert "hunter" not in everything
    told = (await listed(plane)).json()["credentials"]
    assert told == {event: {"header": "Authorization: Bearer hunter2", "query": "signature=hunter3"}}
    assert (await shown(admin, event)).json()["data"]["hasOriginHeader"] is False
    assert (await listed(plane)).json()["credentials"] == {}


@pytest.mark.parametrize(
    ("what", "field"),
    [
        ({"header": "Host: hunter2"}, "header"),
        ({"header": "X: hunter2\r\nY: z"}, "header"),
        ({"header": "hunter2"}, "header"),
        ({"header": "Range: hunter2"}, "header"),
        ({"query": "a=hunter2#"}, "query"),
        ({"query": "hunter2&_HLS_msn=3"}, "query"),
    ],
)
async def test_invalid_credentials_are_refused_and_not_repeated(
    admin: Admin, what: dict[str, str | None], field: str
) -> None:
    answer = await shown(admin, await admin.create_event(streamUrl=ADDRESS), **what)
    assert (answer.status_code, answer.json()["fields"].keys()) == (422, {field})
    assert "hunter2" not in answer.text


async def test_an_event_without_its_own_origin_has_no_credentials(admin: Admin) -> None:
    assert (await shown(admin, await admin.create_event(), header="X-Key: abc")).status_code == 409


@pytest.mark.parametrize(
    ("moved_to", "is_kept"),
    [
        ("https://media.example/elsewhere/", True),
        ("http://media.example/live/", False),
        ("https://10.0.0.5:8888/live/", False),
        (None, False),
    ],
)
async def test_the_credentials_of_one_host_are_never_sent_to_another(
    admin: Admin, moved_to: str | None, *, is_kept: bool
) -> None:
    event = await admin.create_event(streamUrl="https://media.example/live/")
    await shown(admin, event, header="X-Key: abc", query="a=b")
    known = (await admin.list(f"/events/{event}"))["data"]
    kept = ("title", "startsAt", "endsAt", "version")
    body = {name: known[name] for name in kept} | {"streamUrl": moved_to}
    changed = (await admin.http.put(f"/api/admin/events/{event}", json=body)).json()["data"]
    assert (changed["hasOriginHeader"], changed["hasOriginQuery"]) == (is_kept, is_kept)
