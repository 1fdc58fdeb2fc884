"""The admin API: signing in, and events."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from control_plane.accounts import accounts
from control_plane.api.admin_routes import ADMIN_ENDPOINTS
from tests.support.clients.api import (
    HASHER,
    PASSWORD,
    UNKNOWN_ID,
    Admin,
    ControlPlane,
    cookies_of,
    event_body,
    make_settings,
    running,
)
from tests.support.media.pictures import picture

pytestmark = pytest.mark.anyio
# The body that a route validates before it looks for the id; other POST requests need a count.
SENT: dict[tuple[str, str], dict[str, Any]] = {
    ("PUT", "/users/{user_id:uuid}/role"): {"json": {"role": "admin"}},
    ("POST", "/users/{user_id:uuid}/password"): {"json": {}},
    ("PUT", "/webhooks/{webhook_id:uuid}"): {"json": {"url": "https://93.184.216.34/", "topics": ["event.live"]}},
    ("PUT", "/events/{event_id:uuid}"): {"json": event_body() | {"version": 1}},
    ("PUT", "/events/{event_id:uuid}/origin-credentials"): {"json": {}},
    ("PUT", "/events/{event_id:uuid}/poster"): {"content": picture(), "headers": {"Content-Type": "image/png"}},
    ("DELETE", "/events/{event_id:uuid}"): {"headers": {"X-Confirm-Delete": "Concert"}},
    ("POST", "/events/{event_id:uuid}/tokens/import"): {"content": "ABCDEFGH", "headers": {"Content-Type": "text/csv"}},
}
ROUTES = [(endpoint.method, endpoint.path) for endpoint in ADMIN_ENDPOINTS]


async def test_the_right_password_signs_in_for_eight_hours(plane: ControlPlane) -> None:
    async with plane.browser() as http:
        answer = await Admin(http).sign_in()
        cookie = cookies_of(answer)["sg_admin"]
        session = await http.get("/api/admin/session")
    assert (answer.status_code, answer.json()) == (200, {"data": {"username": "admin", "role": "owner"}})
    assert cookie["httponly"]
    assert (cookie["samesite"].lower(), cookie["path"], cookie["max-age"]) == ("strict", "/", "28800")
    assert not cookie["secure"]
    assert session.json() == {"data": {"username": "admin", "role": "owner"}}


async def test_over_https_the_cookie_is_secure(plane: ControlPlane) -> None:
    async with plane.browser(**{"X-Forwarded-Proto": "https"}) as http:
        assert cookies_of(await Admin(http).sign_in())["sg_admin"]["secure"]


async def test_a_wrong_password_and_an_unknown_user_get_the_same_answer(plane: ControlPlane) -> None:
    async with plane.browser() as http:
        person = Admin(http)
        wrong, unknown = await person.sign_in("wrong"), await person.sign_in(PASSWORD, username="nobody")
    assert wrong.status_code == unknown.status_code == 401
    assert (
        wrong.json()
        == unknown.json()
        == {
            "error": "The user name, password or authentication code is wrong.",
            "reason": "sign-in-failed",
        }
    )
    assert wrong.headers == unknown.headers
    assert not cookies_of(wrong)


@pytest.mark.parametrize(
    ("body", "status", "fields"),
    [
        ("{}", 422, {"password"}),
        ('{"password": ""}', 422, {"password"}),
        ('{"password": 1, "username": ""}', 422, {"password", "username"}),
        ('{"password": "x", "role": "owner"}', 422, {"role"}),
        ("password=x", 400, set()),
    ],
)
async def test_an_invalid_sign_in_is_explained(plane: ControlPlane, body: str, status: int, fields: set[str]) -> None:
    async with plane.browser() as http:
        answer = await http.post("/api/admin/login", content=body)
    assert answer.status_code == status
    assert answer.json().get("fields", {}).keys() == fields


@pytest.mark.parametrize(("method", "path"), [("POST", "/logout"), ("DELETE", "/session")])
async def test_after_signing_out_the_cookie_is_invalid(admin: Admin, method: str, path: str) -> None:
    secret = admin.http.cookies["sg_admin"]
    answer = await admin.http.request(method, f"/api/admin{path}")
    assert answer.status_code == 204
    assert cookies_of(answer)["sg_admin"].value == ""
    again = await admin.http.get("/api/admin/session", headers={"Cookie": f"sg_admin={secret}"})
    assert (again.status_code, again.json()["reason"]) == (401, "sign-in-required")


async def test_a_session_ends_after_eight_hours(plane: ControlPlane) -> None:
    now = datetime.now(UTC)
    async with plane.services.database.write() as db:
        user = await accounts.find(db, "admin")
        assert user
        secret = await accounts.begin_session(
            db, user.id, accounts.Client("192.0.2.1", "curl"), now - timedelta(hours=8)
        )
        await db.flush()
        assert await accounts.actor_of_session(db, secret, "192.0.2.1", now - timedelta(seconds=1))
        assert not await accounts.actor_of_session(db, secret, "192.0.2.1", now)


async def test_a_new_event_is_shown_as_it_was_created(admin: Admin) -> None:
    body = event_body() | {"description": "Live", "accessWindowHours": 24, "sessionPolicy": "takeover", "maxDevices": 3}
    made = await admin.http.post("/api/admin/events", json=body)
    assert made.status_code == 201
    event = made.json()["data"]
    shown = (await admin.list(f"/events/{event['id']}"))["data"]
    assert shown == event
    for name in ("title", "description", "accessWindowHours", "sessionPolicy", "maxDevices"):
        assert shown[name] == body[name]
    for name in ("startsAt", "endsAt"):
        assert datetime.fromisoformat(shown[name]) == datetime.fromisoformat(body[name])
    assert (shown["isActive"], shown["isArchived"], shown["version"], shown["tickets"]) == (True, False, 1, 0)


async def test_an_event_may_have_a_given_id_but_not_an_existing_one(admin: Admin) -> None:
    assert await admin.create_event(id=UNKNOWN_ID) == UNKNOWN_ID
    again = await admin.http.post("/api/admin/events", json=event_body() | {"id": UNKNOWN_ID})
    assert (again.status_code, again.json()["reason"]) == (409, "conflict")


async def test_invalid_values_get_one_message_per_field(admin: Admin) -> None:
    body = event_body() | {"title": "", "maxDevices": 11, "startsAt": "tomorrow", "surprise": 1}
    answer = await admin.http.post("/api/admin/events", json=body)
    assert answer.status_code == 422
    assert answer.json()["fields"].keys() == {"title", "maxDevices", "startsAt", "surprise"}
    assert all(isinstance(message, str) and message for message in answer.json()["fields"].values())
    assert (await admin.list("/events"))["pagination"]["total"] == 0


async def test_an_event_that_ends_before_it_starts_is_refused(admin: Admin) -> None:
    answer = await admin.http.post("/api/admin/events", json=event_body(5, 1))
    assert (answer.status_code, answer.json()["fields"]) == (422, {"": "endsAt must be later than startsAt"})


async def test_events_are_listed_latest_first_with_their_figures(admin: Admin, plane: ControlPlane) -> None:
    early, late = await admin.create_event(-9, -8, title="Early"), await admin.create_event(8, 9, title="Late")
    codes = await admin.codes(early, 3)
    async with plane.browser() as http:
        assert (await http.post("/api/tokens/validate", json={"code": codes[0]["code"]})).status_code == 200
    listed = await admin.list("/events")
    assert [event["id"] for event in listed["data"]] == [late, early]
    assert [(event["tickets"], event["redeemed"], event["watching"]) for event in listed["data"]] == [
        (0, 0, 0),
        (3, 1, 1),
    ]


async def test_events_are_listed_in_pages(admin: Admin) -> None:
    made = {await admin.create_event() for _ in range(5)}
    pages = [await admin.list("/events", page=page, limit=2) for page in (1, 2, 3, 4)]
    assert [len(page["data"]) for page in pages] == [2, 2, 1, 0]
    assert {event["id"] for page in pages for event in page["data"]} == made
    assert pages[1]["pagination"] == {"page": 2, "limit": 2, "total": 5, "totalPages": 3}
    assert (await admin.http.get("/api/admin/events", params={"page": "0"})).status_code == 422


async def test_an_event_is_closed_and_opened_again(admin: Admin) -> None:
    event_id = await admin.create_event()
    assert (await admin.patch("events", event_id, "deactivate"))["isActive"] is False
    assert (await admin.patch("events", event_id, "deactivate"))["isActive"] is False
    assert (await admin.list(f"/events/{event_id}"))["data"]["isActive"] is False
    assert (await admin.patch("events", event_id, "reactivate"))["isActive"] is True
    assert (await admin.patch("events", event_id, "reactivate"))["isActive"] is True


@pytest.mark.parametrize(("method", "path"), [route for route in ROUTES if "{" in route[1]])
async def test_unknown_ids_are_not_found(admin: Admin, method: str, path: str) -> None:
    url = "/api/admin" + re.sub(r"\{\w+:uuid\}", UNKNOWN_ID, path)
    sent = SENT.get((method, path), {"json": {"count": 1}} if method == "POST" else {})
    answer = await admin.http.request(method, url, **sent)
    assert (answer.status_code, answer.json()["reason"]) == (404, "not-found")
    no_id = await admin.http.request(method, "/api/admin" + re.sub(r"\{\w+:uuid\}", "1", path))
    assert no_id.status_code == 404


async def test_the_first_owner_is_created_once_and_keeps_their_password(database_url: str) -> None:
    async with running(make_settings(database_url)):
        pass
    other_hash = HASHER.hash("another password")
    async with running(make_settings(database_url, admin_password_hash=other_hash)) as plane, plane.browser() as http:
        assert (await Admin(http).sign_in()).status_code == 200


async def test_without_a_password_in_the_settings_nobody_can_sign_in(database_url: str) -> None:
    settings = make_settings(database_url, admin_password_hash=None)
    async with running(settings) as plane, plane.browser() as http:
        assert (await Admin(http).sign_in()).status_code == 401
