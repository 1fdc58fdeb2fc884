"""Cross-site requests change nothing, and every response has the security headers."""

import httpx2
import pytest

from control_plane.tables import Base
from tests.support.clients.api import Admin, ControlPlane, ViewerClient, make_settings, running

pytestmark = pytest.mark.anyio

FOREIGN = [
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "cross-site", "Origin": "http://tickets.example"},
    {"Origin": "https://attacker.example"},
    {"Origin": "http://tickets.example.attacker.example"},
    {"Origin": "http://tickets.example:8443"},
    {"Origin": "null"},
    {"Origin": ""},
]
OURS = [
    {},
    {"Sec-Fetch-Site": "same-origin"},
    {"Sec-Fetch-Site": "none"},
    {"Origin": "http://tickets.example"},
    {"Origin": "https://tickets.example"},
    {"Sec-Fetch-Site": "same-origin", "Origin": "https://tickets.example"},
]


@pytest.mark.parametrize("headers", FOREIGN)
async def test_another_site_can_change_nothing(admin: Admin, phone: ViewerClient, headers: dict[str, str]) -> None:
    ticket = await admin.ticket()
    path = f"/api/admin/tokens/{ticket['id']}/revoke"
    answers = [
        await admin.http.patch(path, headers=headers),
        await admin.http.post("/api/admin/logout", headers=headers),
        await admin.http.delete("/api/admin/session", headers=headers),
        await phone.http.post("/api/tokens/validate", json={"code": ticket["code"]}, headers=headers),
    ]
    assert [(answer.status_code, answer.json()["reason"]) for answer in answers] == [(403, "cross-origin")] * 4
    assert (await admin.list("/tokens"))["data"][0]["status"] == "unused"


@pytest.mark.parametrize("headers", OURS)
async def test_our_own_pages_and_programs_can_make_changes(admin: Admin, headers: dict[str, str]) -> None:
    ticket = await admin.ticket()
    path = f"/api/admin/tokens/{ticket['id']}/revoke"
    assert (await admin.http.patch(path, headers=headers)).status_code == 200


async def test_behind_another_host_name_the_public_origin_is_accepted(database_url: str) -> None:
    settings = make_settings(database_url, platform_app_url="https://public.example")
    async with running(settings) as plane, plane.browser() as http:
        own = await http.post("/api/admin/login", json={}, headers={"Origin": "https://public.example"})
        foreign = await http.post("/api/admin/login", json={}, headers={"Origin": "https://other.example"})
    assert (own.status_code, foreign.status_code) == (422, 403)


async def test_reading_is_open_to_links_from_anywhere(admin: Admin) -> None:
    answer = await admin.http.get("/api/admin/events", headers={"Sec-Fetch-Site": "cross-site"})
    assert answer.status_code == 200


def assert_careful(headers: httpx2.Headers) -> None:
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "unsafe-eval" not in headers["content-security-policy"]
    assert "access-control-allow-origin" not in headers
    assert "strict-transport-security" not in headers


@pytest.mark.parametrize("path", ["/", "/api/admin/session", "/api/nothing", "/internal/health", "/static/nothing.js"])
async def test_every_answer_carries_the_security_headers(plane: ControlPlane, path: str) -> None:
    async with plane.browser() as http:
        assert_careful((await http.get(path)).headers)


async def test_the_response_to_a_crash_also_has_them_and_is_not_cached(plane: ControlPlane) -> None:
    served = httpx2.ASGITransport(plane.transport.app, raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=served, base_url="http://tickets.example") as http:
        await Admin(http).sign_in()
        async with plane.services.database.write() as db:
            await (await db.connection()).run_sync(Base.metadata.tables["audit_entry"].drop)
        answer = await http.get("/api/admin/audit")
    assert (answer.status_code, answer.json()["reason"]) == (500, "internal")
    assert answer.headers["cache-control"] == "no-store"
    assert_careful(answer.headers)


async def test_refusals_of_another_site_also_have_them(plane: ControlPlane) -> None:
    async with plane.browser() as http:
        answer = await http.post("/api/admin/logout", headers={"Sec-Fetch-Site": "cross-site"})
    assert answer.headers["x-content-type-options"] == "nosniff"


async def test_responses_with_tokens_and_codes_are_never_cached(admin: Admin, phone: ViewerClient) -> None:
    ticket = await admin.ticket()
    assert (await phone.validate(ticket["code"])).headers["cache-control"] == "no-store"
    assert (await admin.http.get("/api/admin/tokens")).headers["cache-control"] == "no-store"
