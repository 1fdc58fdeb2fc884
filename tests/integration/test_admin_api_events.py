"""The admin API: events are listed, replaced, archived and deleted."""

from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import httpx2
import pytest

from tests.support.clients.api import UNKNOWN_ID, Admin, ControlPlane, ViewerClient, claims_of, event_body

pytestmark = pytest.mark.anyio


async def event(admin: Admin, event_id: str) -> dict[str, Any]:
    found: dict[str, Any] = (await admin.list(f"/events/{event_id}"))["data"]
    return found


async def put(admin: Admin, event_id: str, **changes: Any) -> httpx2.Response:
    """Replace the event with the same values except for the changes."""
    now = await event(admin, event_id)
    kept = ("title", "description", "posterUrl", "streamUrl", "startsAt", "endsAt", "accessWindowHours")
    body = {name: now[name] for name in (*kept, "sessionPolicy", "maxDevices", "version")} | changes
    return await admin.http.put(f"/api/admin/events/{event_id}", json=body)


async def delete(admin: Admin, event_id: str, title: str | None) -> httpx2.Response:
    headers = {} if title is None else {"X-Confirm-Delete": quote(title)}
    return await admin.http.delete(f"/api/admin/events/{event_id}", headers=headers)


async def titles(admin: Admin, **query: Any) -> list[str]:
    return [one["title"] for one in (await admin.list("/events", **query))["data"]]


@pytest.fixture
async def season(admin: Admin) -> dict[str, str]:
    """The ids of one event of each kind, created in this order."""
    made = {
        "Beethoven": await admin.create_event(24, 26, title="Beethoven"),
        "arvo pärt": await admin.create_event(-1, 2, title="arvo pärt"),
        "Chopin 50%": await admin.create_event(-30, -28, title="Chopin 50%"),
        "Dvorak": await admin.create_event(48, 50, title="Dvorak"),
        "Elgar": await admin.create_event(-50, -48, title="Elgar"),
    }
    await admin.patch("events", made["Dvorak"], "deactivate")
    await admin.patch("events", made["Elgar"], "archive")
    return made


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, {"Beethoven", "arvo pärt", "Chopin 50%", "Dvorak"}),
        ({"status": "active"}, {"Beethoven", "arvo pärt", "Chopin 50%"}),
        ({"status": "deactivated"}, {"Dvorak"}),
        ({"status": "archived"}, {"Elgar"}),
        ({"status": "upcoming"}, {"Beethoven"}),
        ({"status": "live"}, {"arvo pärt"}),
        ({"status": "ended"}, {"Chopin 50%"}),
        ({"timeframe": "upcoming"}, {"Beethoven", "Dvorak"}),
        ({"timeframe": "current"}, {"arvo pärt"}),
        ({"timeframe": "past"}, {"Chopin 50%"}),
        ({"timeframe": "past", "archived": "all"}, {"Chopin 50%", "Elgar"}),
        ({"archived": "true"}, {"Elgar"}),
        ({"status": "live", "timeframe": "past"}, set()),
        ({"search": "ELGAR", "archived": "all"}, {"Elgar"}),
        ({"search": "0%"}, {"Chopin 50%"}),
        ({"search": "_"}, set()),
    ],
)
async def test_events_are_listed_by_filter(
    admin: Admin, season: dict[str, str], query: dict[str, str], expected: set[str]
) -> None:
    assert season
    found = await admin.list("/events", **query)
    assert {one["title"] for one in found["data"]} == expected
    assert found["pagination"]["total"] == len(expected)


async def test_events_are_sorted_by_start_title_or_age_in_either_direction(
    admin: Admin, season: dict[str, str]
) -> None:
    by_start = ["Chopin 50%", "arvo pärt", "Beethoven", "Dvorak"]
    by_title = ["arvo pärt", "Beethoven", "Chopin 50%", "Dvorak"]
    by_age = [title for title in season if title != "Elgar"]
    assert await titles(admin) == await titles(admin, sort="-startsAt") == by_start[::-1]
    assert await titles(admin, sort="startsAt") == by_start
    assert [await titles(admin, sort="title"), await titles(admin, sort="-title")] == [by_title, by_title[::-1]]
    assert [await titles(admin, sort="createdAt"), await titles(admin, sort="-createdAt")] == [by_age, by_age[::-1]]
    assert await titles(admin, sort="title", page=2, limit=3) == by_title[3:]


@pytest.mark.parametrize("query", [{"sort": "price"}, {"status": "lost"}, {"archived": "maybe"}, {"search": "\0"}])
async def test_a_list_that_does_not_exist_is_refused(admin: Admin, query: dict[str, str]) -> None:
    assert (await admin.http.get("/api/admin/events", params=query)).status_code == 422


async def test_an_events_tickets_are_counted_by_status(admin: Admin, phone: ViewerClient) -> None:
    event_id = await admin.create_event()
    _, redeemed, revoked, both = await admin.codes(event_id, 4)
    for ticket in (redeemed, both):
        assert (await phone.validate(ticket["code"])).status_code == 200
    for ticket in (revoked, both):
        await admin.patch("tokens", ticket["id"], "revoke")
    over = await admin.ticket(starts_in_hours=-100, ends_in_hours=-90)
    found = {one["id"]: one for one in (await admin.list("/events"))["data"]}
    mine, past = found[event_id], found[over["eventId"]]
    assert mine["ticketCounts"] == {"unused": 1, "redeemed": 1, "expired": 0, "revoked": 2}
    assert (mine["tickets"], mine["redeemed"], mine["watching"]) == (4, 2, 1)
    assert past["ticketCounts"] == {"unused": 0, "redeemed": 0, "expired": 1, "revoked": 0}


async def test_an_event_is_replaced_as_a_whole(admin: Admin) -> None:
    event_id = await admin.create_event(description="Old words", maxDevices=2)
    before = await event(admin, event_id)
    answer = await admin.http.put(
        f"/api/admin/events/{event_id}", json=event_body(2, 4) | {"title": "New", "version": before["version"]}
    )
    assert answer.status_code == 200, answer.text
    after = answer.json()["data"]
    assert (after["title"], after["description"], after["maxDevices"]) == ("New", None, 1)
    assert after["version"] > before["version"]
    assert after == await event(admin, event_id)


async def test_the_second_of_two_edits_is_refused_and_changes_nothing(admin: Admin) -> None:
    event_id = await admin.create_event()
    version = (await event(admin, event_id))["version"]
    assert (await put(admin, event_id, title="First", version=version)).status_code == 200
    late = await put(admin, event_id, title="Second", version=version)
    assert (late.status_code, late.json()["reason"]) == (409, "conflict")
    assert (await event(admin, event_id))["title"] == "First"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"version": None}, "version"),
        ({"title": ""}, "title"),
        ({"title": "a\0b"}, "title"),
        ({"maxDevices": 11}, "maxDevices"),
        ({"sessionPolicy": "share"}, "sessionPolicy"),
        ({"streamUrl": "https://elsewhere.example/live/"}, "streamUrl"),
        ({"id": UNKNOWN_ID}, "id"),
    ],
)
async def test_an_invalid_change_is_refused_with_its_field(admin: Admin, changes: dict[str, Any], field: str) -> None:
    event_id = await admin.create_event()
    before = await event(admin, event_id)
    answer = await put(admin, event_id, **changes)
    assert (answer.status_code, answer.json()["fields"].keys()) == (422, {field})
    assert await event(admin, event_id) == before


async def test_a_missing_event_is_neither_changed_nor_deleted(admin: Admin) -> None:
    body = event_body() | {"version": 1}
    assert (await admin.http.put(f"/api/admin/events/{UNKNOWN_ID}", json=body)).status_code == 404
    assert (await delete(admin, UNKNOWN_ID, "Concert")).status_code == 404


async def test_moving_the_end_moves_the_tickets_end(admin: Admin) -> None:
    ticket = await admin.ticket(accessWindowHours=1)
    later = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=10)
    assert (await put(admin, ticket["eventId"], endsAt=later.isoformat(), accessWindowHours=3)).status_code == 200
    [moved] = (await admin.list("/tokens"))["data"]
    assert datetime.fromisoformat(moved["expiresAt"]) == later + timedelta(hours=3)


async def test_archiving_hides_an_event_and_nothing_else(admin: Admin, phone: ViewerClient) -> None:
    ticket = await admin.ticket()
    await phone.validate(ticket["code"])
    hidden = await admin.patch("events", ticket["eventId"], "archive")
    assert (hidden["isArchived"], hidden["watching"]) == (True, 1)
    assert await titles(admin) == []
    assert (await phone.heartbeat()).status_code == (await phone.refresh()).status_code == 200
    assert (await admin.patch("events", ticket["eventId"], "unarchive"))["isArchived"] is False
    assert await titles(admin) == ["Concert"]


@pytest.mark.parametrize("title", [None, "", "concert", "Concert 2", "%FF"])
async def test_an_event_is_not_deleted_without_its_title(admin: Admin, title: str | None) -> None:
    ticket = await admin.ticket()
    headers = {} if title is None else {"X-Confirm-Delete": title}
    answer = await admin.http.delete(f"/api/admin/events/{ticket['eventId']}", headers=headers)
    assert answer.status_code in {400, 409}
    assert answer.json()["error"].endswith(".")
    assert (await admin.list("/tokens"))["pagination"]["total"] == 1


async def test_a_deleted_event_is_gone_with_all_of_its_tickets_and_sessions(
    plane: ControlPlane, admin: Admin, phone: ViewerClient
) -> None:
    kept = await admin.ticket()
    event_id = await admin.create_event(title="Größe & 50%")
    first, _ = await admin.codes(event_id, 2)
    await phone.validate(first["code"])
    cursor = (await plane.feed())["cursor"]
    assert (await delete(admin, event_id, "Größe & 50%")).status_code == 204
    [change] = (await plane.feed(cursor))["changes"]
    assert (change["kind"], change["id"], change["revoked"]) == ("event", event_id, True)
    assert datetime.fromisoformat(change["expiresAt"]) > datetime.now(UTC) + timedelta(minutes=50)
    assert (await admin.http.get(f"/api/admin/events/{event_id}")).status_code == 404
    assert [ticket["id"] for ticket in (await admin.list("/tokens"))["data"]] == [kept["id"]]
    assert (await admin.list("/sessions"))["data"] == []
    assert (await phone.heartbeat()).status_code == (await phone.refresh()).status_code == 404
    assert (await phone.validate(first["code"])).status_code == 401


async def test_an_event_that_is_created_again_with_its_old_id_plays(
    plane: ControlPlane, admin: Admin, phone: ViewerClient
) -> None:
    ticket = await admin.ticket()
    await phone.validate(ticket["code"])
    event_id = ticket["eventId"]
    assert (await delete(admin, event_id, "Concert")).status_code == 204
    assert await admin.create_event(id=event_id) == event_id
    [change] = (await plane.feed())["changes"]
    assert change["revoked"] is False
    [fresh] = await admin.codes(event_id)
    answer = await phone.validate(fresh["code"])
    assert answer.status_code == 200
    assert claims_of(phone.token).iat >= datetime.fromisoformat(change["notBefore"]).timestamp()
