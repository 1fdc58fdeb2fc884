"""Access to every route, for anonymous clients, every role and every API key's scope, generated from the routes.

New routes of the API are tested automatically; pages and public routes have to be listed.
"""

import re
import secrets
from collections.abc import AsyncIterator, Iterable, Iterator
from datetime import timedelta
from hashlib import sha256
from typing import Any, Final

import httpx2
import pytest
from starlette.routing import BaseRoute, Mount, Route

from control_plane.access.actors import ROLE_PERMISSIONS, SCOPE_PERMISSIONS, Permission, Role, Scope
from control_plane.accounts import api_keys
from control_plane.api.admin_routes import ADMIN_ENDPOINTS
from control_plane.api.viewer_routes import VIEWER_ENDPOINTS
from control_plane.app import ROUTES
from control_plane.clock import utc_now
from control_plane.tables import AdminSession, AdminUser
from control_plane.web.endpoints import Endpoint
from tests.support.clients.api import INTERNAL_KEY, PASSWORD_HASH, UNKNOWN_ID, Admin, ControlPlane

pytestmark = pytest.mark.anyio
Call = tuple[str, str]  # a method and a path as in the routes
OPEN_TO_ALL: Final[dict[Call, str]] = {
    ("GET", "/"): "the portal, where viewers type their code",
    ("GET", "/tv"): "the portal on a TV, which shows a code",
    ("GET", "/logo"): "the portal's",
    (
        "GET",
        "/posters/{event_id:uuid}/{digest}.webp",
    ): "found only by those who were given its digest",
    ("GET", "/api/openapi.json"): "describes the API, tells nothing of what is in it",
    ("GET", "/api/docs"): "the same for people",
    ("MOUNT", "/static/portal"): "scripts and styles",
    ("MOUNT", "/static/admin"): "the same",
    ("MOUNT", "/static/brand"): "pictures",
    ("MOUNT", "/static/vendor"): "scripts, fonts and icons of others",
    ("POST", "/api/admin/login"): "asks for the password itself",
    ("POST", "/api/admin/logout"): "ends the session it is shown, if any",
    ("DELETE", "/api/admin/session"): "the same",
    ("POST", "/api/tokens/validate"): "asks for a code",
    ("GET", "/api/events/{event_id:uuid}/status"): "asks for a code",
    ("POST", "/api/tv/codes"): "gives a code that is good for nothing until somebody with a ticket approves it",
    ("POST", "/api/tv/session"): "asks for the secret of such a code",
    ("POST", "/api/tv/approve"): "asks for a ticket's code, and the TV's",
    ("GET", "/admin/login"): "the form to sign in",
    ("POST", "/admin/login"): "asks for the password itself",
    ("POST", "/admin/logout"): "ends the session it is shown, if any",
    ("GET", "/admin/setup"): "404 as soon as there is an account",
    ("POST", "/admin/setup"): "asks for the set-up link's token",
    ("GET", "/internal/health"): "not on the public port, and says only whether the database answers",
    ("GET", "/internal/live"): "not on the public port, and says only that the process answers",
    ("GET", "/internal/metrics"): "not on the public port, and names nobody",
}
# The permission that a page requires; None: any signed-in user.
CONSOLE: Final[dict[Call, Permission | None]] = {
    ("GET", "/admin"): None,
    ("GET", "/admin/"): None,
    ("GET", "/admin/events"): None,
    ("GET", "/admin/events/new"): None,
    ("POST", "/admin/events/new"): Permission.EVENTS,
    ("GET", "/admin/events/{event_id:uuid}"): None,
    ("GET", "/admin/events/{event_id:uuid}/codes"): None,
    ("POST", "/admin/events/{event_id:uuid}/codes"): Permission.TICKETS,
    ("GET", "/admin/events/{event_id:uuid}/import"): None,
    ("POST", "/admin/events/{event_id:uuid}/import"): Permission.TICKETS,
    ("GET", "/admin/events/{event_id:uuid}/preview"): None,
    ("GET", "/admin/events/{event_id:uuid}/stream"): None,
    ("GET", "/admin/events/{event_id:uuid}/open-doors"): None,
    ("POST", "/admin/events/{event_id:uuid}/open-doors"): Permission.EVENTS,
    ("GET", "/admin/events/{event_id:uuid}/close-doors"): None,
    ("POST", "/admin/events/{event_id:uuid}/close-doors"): Permission.EVENTS,
    ("POST", "/admin/events/{event_id:uuid}/origin-credentials"): Permission.EVENTS,
    ("GET", "/admin/events/{event_id:uuid}/deactivate"): None,
    ("POST", "/admin/events/{event_id:uuid}/deactivate"): Permission.EVENTS,
    ("GET", "/admin/events/{event_id:uuid}/reactivate"): None,
    ("POST", "/admin/events/{event_id:uuid}/reactivate"): Permission.EVENTS,
    ("GET", "/admin/tickets/{ticket_id:uuid}/revoke"): None,
    ("POST", "/admin/tickets/{ticket_id:uuid}/revoke"): Permission.REVOKE,
    ("GET", "/admin/tickets/{ticket_id:uuid}/unrevoke"): None,
    ("POST", "/admin/tickets/{ticket_id:uuid}/unrevoke"): Permission.REVOKE,
    ("GET", "/admin/{path:path}"): None,
    ("POST", "/admin/{path:path}"): None,
}
INTERNAL: Final[tuple[Call, ...]] = (
    ("GET", "/internal/feed"),
    ("GET", "/internal/origins"),
    ("POST", "/internal/activity"),
)
FILLED_IN: Final = {
    "title": "Concert",
    "startsAt": "2027-01-15T20:00",
    "endsAt": "2027-01-15T22:00",
    "accessWindowHours": "48",
    "sessionPolicy": "refuse",
    "maxDevices": "1",
    "count": "1",
    "doubtful": "import",
}
SHOWN: Final = [endpoint for endpoint in VIEWER_ENDPOINTS if endpoint.security_scheme]
GUARDED: Final = [endpoint for endpoint in ADMIN_ENDPOINTS if endpoint.permission]
REFUSED: Final = (401, "sign-in-required"), (403, "forbidden")


def name(endpoint: Endpoint) -> str:
    return f"{endpoint.method} {endpoint.path}"


def walk(routes: Iterable[BaseRoute], mounted: str = "") -> Iterator[Call]:
    """Yield all endpoints. HEAD is GET without a body; mounts have no method."""
    for route in routes:
        assert isinstance(route, Route | Mount), f"nobody knows what {route} answers"
        path = mounted + route.path
        if isinstance(route, Mount):
            yield from walk(route.routes, path) if route.routes else [("MOUNT", path)]
        else:
            yield from ((method, path) for method in (route.methods or ()) if method != "HEAD")


async def ask(http: httpx2.AsyncClient, endpoint: Endpoint, **headers: str) -> tuple[int, str]:
    """Call a route with unknown ids and an invalid body, which an authorized client gets an error about."""
    path = re.sub(r"\{\w+:number\}", "0", endpoint.path)
    url = "/api/admin" + re.sub(r"\{\w+(:uuid)?\}", UNKNOWN_ID, path)
    answer = await http.request(endpoint.method, url, content="[]", headers=headers)
    is_json = answer.headers.get("content-type") == "application/json"
    body: Any = answer.json() if answer.content and is_json else {}
    return answer.status_code, body.get("reason", "") if isinstance(body, dict) else ""


@pytest.fixture
async def cookies(plane: ControlPlane) -> dict[Role, str]:
    """A signed-in user of each role."""
    now, given = utc_now(), {}
    async with plane.services.database.write() as db:
        for role in Role:
            user = AdminUser(username=f"one {role}", password_hash=PASSWORD_HASH, role=role.value, created_at=now)
            db.add(user)
            await db.flush()
            given[role] = secrets.token_urlsafe(32)
            digest = sha256(given[role].encode()).hexdigest()
            until = now + timedelta(hours=1)
            db.add(AdminSession(token_hash=digest, user_id=user.id, created_at=now, expires_at=until))
    return given


@pytest.fixture
async def keys(plane: ControlPlane) -> dict[Scope, str]:
    async with plane.services.database.write() as db:
        made = {scope: await api_keys.create(db, f"{scope} key", [scope], "admin", utc_now()) for scope in Scope}
    return {scope: secret for scope, (_key, secret) in made.items()}


@pytest.fixture
async def stranger(plane: ControlPlane) -> AsyncIterator[httpx2.AsyncClient]:
    async with plane.browser() as http:
        yield http


def test_every_route_is_tested_or_deliberately_open() -> None:
    api = [("/api/admin", endpoint) for endpoint in GUARDED] + [("/api", endpoint) for endpoint in SHOWN]
    walked = [(endpoint.method, mount + endpoint.path) for mount, endpoint in api]
    assert sorted(walk(ROUTES)) == sorted([*walked, *CONSOLE, *INTERNAL, *OPEN_TO_ALL])


@pytest.mark.parametrize("endpoint", GUARDED, ids=name)
async def test_each_route_requires_its_permission(
    endpoint: Endpoint, stranger: httpx2.AsyncClient, cookies: dict[Role, str], keys: dict[Scope, str]
) -> None:
    assert endpoint.permission
    for headers in ({}, {"Cookie": "sg_admin=made-up"}, {"Authorization": "Bearer sgk_made-up"}):
        assert await ask(stranger, endpoint, **headers) == REFUSED[0], headers
    for scope, secret in keys.items():
        answer = await ask(stranger, endpoint, Authorization=f"Bearer {secret}")
        assert (answer not in REFUSED) is (endpoint.permission in SCOPE_PERMISSIONS[scope]), (scope, answer)
    for role, secret in cookies.items():
        answer = await ask(stranger, endpoint, Cookie=f"sg_admin={secret}")
        assert (answer not in REFUSED) is (endpoint.permission in ROLE_PERMISSIONS[role]), (role, answer)
        assert answer[0] < 500, (role, answer)


async def test_an_invalid_key_is_refused_despite_a_valid_session_cookie(
    stranger: httpx2.AsyncClient, cookies: dict[Role, str]
) -> None:
    headers = {"Authorization": "Bearer sgk_made-up", "Cookie": f"sg_admin={cookies[Role.OWNER]}"}
    assert (await stranger.get("/api/admin/events", headers=headers)).status_code == 401


async def test_every_permission_belongs_to_a_role() -> None:
    assert ROLE_PERMISSIONS[Role.OWNER] == set(Permission)
    assert ROLE_PERMISSIONS[Role.OPERATOR] < ROLE_PERMISSIONS[Role.ADMIN] < ROLE_PERMISSIONS[Role.OWNER]


@pytest.mark.parametrize("endpoint", SHOWN, ids=name)
async def test_credentials_of_viewers_and_servers_are_not_those_of_admins(
    endpoint: Endpoint, stranger: httpx2.AsyncClient, cookies: dict[Role, str], keys: dict[Scope, str]
) -> None:
    owner = {"Cookie": f"sg_admin={cookies[Role.OWNER]}"}
    for headers in ({}, owner, *({"Authorization": f"Bearer {key}"} for key in (*keys.values(), "made.up.token"))):
        answer = await stranger.request(endpoint.method, f"/api{endpoint.path}", headers=headers)
        assert answer.status_code == 401, headers


@pytest.mark.parametrize("call", CONSOLE, ids=" ".join)
async def test_each_page_requires_a_session_and_its_permission(
    call: Call,
    admin: Admin,
    stranger: httpx2.AsyncClient,
    cookies: dict[Role, str],
    keys: dict[Scope, str],
) -> None:
    ticket = await admin.ticket()
    there = {"{event_id:uuid}": ticket["eventId"], "{ticket_id:uuid}": ticket["id"], "{path:path}": "nowhere"}
    method, path = call[0], re.sub(r"{\w+:\w+}", lambda name: there[name[0]], call[1])
    typed, needs = FILLED_IN if method == "POST" else None, CONSOLE[call]

    async def asked(**headers: str) -> tuple[int, str]:
        fresh = typed and typed | {"codes": secrets.token_hex(8)}
        answer = await stranger.request(method, path, headers=headers, data=fresh)
        return answer.status_code, answer.headers.get("location", "")

    allowed = 404 if path == "/admin/nowhere" else 303 if needs or path.endswith("/codes") else 200
    keys_shown = [{"Authorization": f"Bearer {key}"} for key in keys.values()]
    for headers in ({}, {"Cookie": "sg_admin=made-up"}, *keys_shown):
        assert await asked(**headers) == (303, f"/admin/login?next={path}"), headers
    for role, secret in cookies.items():
        status, onward = await asked(Cookie=f"sg_admin={secret}")
        assert status == (allowed if needs in {None, *ROLE_PERMISSIONS[role]} else 403), role
        assert not onward.startswith("/admin/login"), role


@pytest.mark.parametrize("call", INTERNAL, ids=" ".join)
async def test_each_internal_route_requires_the_internal_key(
    call: Call, stranger: httpx2.AsyncClient, cookies: dict[Role, str], keys: dict[Scope, str]
) -> None:
    admins = {"Cookie": f"sg_admin={cookies[Role.OWNER]}"}, {"Authorization": f"Bearer {keys[Scope.READ]}"}
    for headers in ({}, {"X-Internal-Api-Key": "made up"}, {"X-Internal-Api-Key": INTERNAL_KEY[1:]}, *admins):
        assert (await stranger.request(*call, headers=headers)).status_code == 401, headers
    assert (await stranger.request(*call, headers={"X-Internal-Api-Key": INTERNAL_KEY})).status_code != 401
