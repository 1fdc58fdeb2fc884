"""API keys: shown once, valid for their scopes only, and invalid once revoked."""

from datetime import datetime
from typing import Any

import pytest

from control_plane.accounts import api_keys
from tests.support.clients.api import UNKNOWN_ID, Admin, ControlPlane, event_body, make_settings, running
from tests.support.clients.staff import audit_of, hire, new_key, program

pytestmark = pytest.mark.anyio
MAY = {
    "read": {"read"},
    "tickets": {"generate", "revoke"},
    "events": {"create"},
}


async def test_a_key_is_shown_once_and_kept_as_a_digest(plane: ControlPlane, admin: Admin) -> None:
    made = await new_key(admin, "tickets", "read", "read")
    assert made["key"].startswith("sgk_")
    assert len(made["key"]) == 47
    assert (made["shown"], made["scopes"]) == (made["key"][:8], ["read", "tickets"])
    assert (made["createdBy"], made["lastUsedAt"], made["revokedAt"]) == ("admin", None, None)
    listed = await admin.http.get("/api/admin/api-keys")
    assert made["key"] not in listed.text
    assert listed.json()["data"] == [{name: value for name, value in made.items() if name != "key"}]
    assert made["key"] not in (await admin.http.get("/api/admin/audit")).text
    async with plane.services.database.read() as db:
        [kept], _ = await api_keys.page(db, 0, 10)
    assert made["key"] not in {str(value) for value in vars(kept).values()}


@pytest.mark.parametrize("scope", sorted(MAY))
async def test_a_key_has_the_permissions_of_its_scopes(plane: ControlPlane, admin: Admin, scope: str) -> None:
    ticket = await admin.ticket()
    key = await new_key(admin, scope)
    actions = {
        "read": ("GET", "/tokens", None),
        "generate": ("POST", f"/events/{ticket['eventId']}/tokens/generate", {"count": 1}),
        "revoke": ("PATCH", f"/tokens/{ticket['id']}/revoke", None),
        "create": ("POST", "/events", event_body()),
        "administer": ("GET", "/api-keys", None),
        "own account": ("GET", "/account", None),
    }
    async with program(plane, key["key"]) as http:
        allowed = {
            word: (await http.request(method, f"/api/admin{path}", json=body)).status_code
            for word, (method, path, body) in actions.items()
        }
    assert {word for word, status in allowed.items() if status < 300} == MAY[scope]
    assert {status for word, status in allowed.items() if word not in MAY[scope]} == {403}


async def test_an_invalid_key_is_refused_despite_a_valid_cookie(admin: Admin) -> None:
    read = await new_key(admin, "read")
    for key in ("sgk_", "sgk_made-up", read["key"][:-1], read["key"] + "x", "sgk_\u00e9"):
        headers = {"Authorization": f"Bearer {key}".encode("latin-1")}
        answer = await admin.http.get("/api/admin/events", headers=headers)  # type: ignore[arg-type]
        assert (answer.status_code, answer.json()["reason"]) == (401, "sign-in-required")
        assert answer.json()["error"] == "This API key is unknown or revoked."
    headers_read = {"Authorization": f"Bearer {read['key']}"}
    assert (await admin.http.post("/api/admin/events", json=event_body(), headers=headers_read)).status_code == 403
    other = await admin.http.get("/api/admin/events", headers={"Authorization": "Bearer something-else"})
    assert other.status_code == 200


async def test_a_revoked_key_is_invalid_at_once(plane: ControlPlane, admin: Admin) -> None:
    made = await new_key(admin, "read")
    async with program(plane, made["key"]) as http:
        assert (await http.get("/api/admin/events")).status_code == 200
        revoked = await admin.http.delete(f"/api/admin/api-keys/{made['id']}")
        assert revoked.json()["data"]["revokedAt"]
        assert (await http.get("/api/admin/events")).status_code == 401
    again = await admin.http.delete(f"/api/admin/api-keys/{made['id']}")
    assert again.json()["data"]["revokedAt"] == revoked.json()["data"]["revokedAt"]
    assert (await admin.http.delete(f"/api/admin/api-keys/{UNKNOWN_ID}")).status_code == 404


async def test_a_name_can_be_reused_after_its_key_is_revoked(admin: Admin) -> None:
    made = await new_key(admin, "read", name="door")
    again = await admin.http.post("/api/admin/api-keys", json={"name": "door", "scopes": ["read"]})
    assert again.status_code == 409
    await admin.http.delete(f"/api/admin/api-keys/{made['id']}")
    assert (await new_key(admin, "read", name="door"))["key"] != made["key"]


async def test_the_last_use_is_known_at_once_and_survives_a_restart(database_url: str) -> None:
    async with running(make_settings(database_url)) as plane, plane.browser("198.51.100.1") as http:
        owner = Admin(http)
        await owner.sign_in()
        key = (await new_key(owner, "read"))["key"]
        async with program(plane, key) as box_office:
            await box_office.get("/api/admin/events")
        [listed] = (await owner.list("/api-keys"))["data"]
        async with plane.services.database.read() as db:
            [kept], _ = await api_keys.page(db, 0, 10)
        assert kept.last_used_at is None  # reads write nothing
    async with running(make_settings(database_url)) as plane, plane.browser("198.51.100.1") as http:
        owner = Admin(http)
        await owner.sign_in()
        [later] = (await owner.list("/api-keys"))["data"]
    assert datetime.fromisoformat(listed["lastUsedAt"]) == datetime.fromisoformat(later["lastUsedAt"])


@pytest.mark.parametrize(
    "headers", [{"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://tool.example"}, {"Origin": "null"}]
)
async def test_programs_need_no_origin_header(plane: ControlPlane, admin: Admin, headers: dict[str, str]) -> None:
    key = await new_key(admin, "events")
    async with program(plane, key["key"]) as http:
        assert (await http.post("/api/admin/events", json=event_body(), headers=headers)).status_code == 201
        http.headers["Authorization"] = "Bearer another-kind"
        assert (await http.post("/api/admin/events", json=event_body(), headers=headers)).status_code == 403


async def test_another_site_cannot_preflight_a_request_with_a_key(plane: ControlPlane) -> None:
    preflight = {"Origin": "https://evil.example", "Access-Control-Request-Headers": "authorization"}
    async with plane.browser() as http:
        answer = await http.options("/api/admin/events", headers=preflight)
    assert not answer.is_success
    assert [name for name in answer.headers if name.startswith("access-control")] == []


async def test_the_audit_log_names_the_key(plane: ControlPlane, admin: Admin) -> None:
    made = await new_key(admin, "events", name="import job")
    async with program(plane, made["key"]) as http:
        await http.post("/api/admin/events", json=event_body())
    await admin.http.delete(f"/api/admin/api-keys/{made['id']}")
    [entry] = await audit_of(admin, "event.create")
    assert (entry["actorKind"], entry["actor"], entry["address"]) == ("key", "import job", "203.0.113.9")
    [created], [revoked] = await audit_of(admin, "api-key.create"), await audit_of(admin, "api-key.revoke")
    assert (created["subject"], created["detail"]) == ("import job", {"scopes": "events"})
    assert revoked["subject"] == "import job"


async def test_a_key_can_be_identified(plane: ControlPlane, admin: Admin) -> None:
    made = await new_key(admin, "read", name="screen")
    async with program(plane, made["key"]) as http:
        answer = await http.get("/api/admin/session")
    assert answer.json() == {"data": {"username": "screen", "role": None}}


async def test_a_key_gives_no_access_to_the_console(plane: ControlPlane, admin: Admin) -> None:
    made = await new_key(admin, "read")
    async with program(plane, made["key"]) as http:
        assert (await http.get("/admin")).status_code == 303


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"scopes": []}, "scopes"),
        ({"scopes": ["administer"]}, "scopes.0"),
        ({"name": ""}, "name"),
        ({"name": "x" * 101}, "name"),
        ({"name": "a\0b"}, "name"),
        ({"key": "sgk_mine"}, "key"),
    ],
)
async def test_invalid_input_is_reported_by_field(admin: Admin, values: dict[str, Any], field: str) -> None:
    answer = await admin.http.post("/api/admin/api-keys", json={"name": "door", "scopes": ["read"]} | values)
    assert (answer.status_code, list(answer.json()["fields"])) == (422, [field])


@pytest.mark.parametrize("role", ["admin", "operator"])
async def test_only_owners_manage_keys(plane: ControlPlane, admin: Admin, role: str) -> None:
    made = await new_key(admin, "read")
    await hire(admin, "anna", role)
    async with plane.browser() as http:
        await Admin(http).sign_in(username="anna")
        assert (await http.get("/api/admin/api-keys")).status_code == 403
        draft = {"name": "mine", "scopes": ["read"]}
        assert (await http.post("/api/admin/api-keys", json=draft)).status_code == 403
        assert (await http.delete(f"/api/admin/api-keys/{made['id']}")).status_code == 403
