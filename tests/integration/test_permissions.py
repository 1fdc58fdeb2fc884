"""Every route of the admin API, with nobody, every role and every API key's scope: made from the routes themselves.

A route that is added is tested here without a line being written; one that asks for nothing has to be named.
"""

import re
import secrets
from collections.abc import AsyncIterator
from datetime import timedelta
from hashlib import sha256
from typing import Any, Final

import httpx2
import pytest

from control_plane.admins import api_keys
from control_plane.auditing.actors import OF_ROLE, OF_SCOPE, Permission, Role, Scope
from control_plane.schemas import utc_now
from control_plane.storage.models_admin import AdminSession, AdminUser
from control_plane.views.admin_routes import ADMIN_ENDPOINTS
from control_plane.views.endpoints import Endpoint
from tests.support.api import PASSWORD_HASH, UNKNOWN_ID, ControlPlane

pytestmark = pytest.mark.anyio
OPEN_TO_ALL: Final = {("POST", "/login"), ("POST", "/logout"), ("DELETE", "/session")}
GUARDED: Final = [endpoint for endpoint in ADMIN_ENDPOINTS if endpoint.needs]
REFUSED: Final = (401, "sign-in-required"), (403, "forbidden")


def name(endpoint: Endpoint) -> str:
    return f"{endpoint.method} {endpoint.path}"


async def ask(http: httpx2.AsyncClient, endpoint: Endpoint, **headers: str) -> tuple[int, str]:
    """Call a route with ids that do not exist and a body that makes no sense: whoever may ask is told so."""
    path = re.sub(r"\{\w+:int\}", "0", endpoint.path)
    url = "/api/admin" + re.sub(r"\{\w+(:uuid)?\}", UNKNOWN_ID, path)
    answer = await http.request(endpoint.method, url, content="[]", headers=headers)
    is_json = answer.headers.get("content-type") == "application/json"
    body: Any = answer.json() if answer.content and is_json else {}
    return answer.status_code, body.get("reason", "") if isinstance(body, dict) else ""


@pytest.fixture
async def cookies(plane: ControlPlane) -> dict[Role, str]:
    """A signed-in person of each role."""
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


async def test_only_the_front_door_is_open_to_all() -> None:
    assert {(e.method, e.path) for e in ADMIN_ENDPOINTS if e.needs is None} == OPEN_TO_ALL


@pytest.mark.parametrize("endpoint", GUARDED, ids=name)
async def test_each_route_is_for_those_who_may(
    endpoint: Endpoint, stranger: httpx2.AsyncClient, cookies: dict[Role, str], keys: dict[Scope, str]
) -> None:
    assert endpoint.needs
    for headers in ({}, {"Cookie": "sg_admin=made-up"}, {"Authorization": "Bearer sgk_made-up"}):
        assert await ask(stranger, endpoint, **headers) == REFUSED[0], headers
    for scope, secret in keys.items():
        answer = await ask(stranger, endpoint, Authorization=f"Bearer {secret}")
        assert (answer not in REFUSED) is (endpoint.needs in OF_SCOPE[scope]), (scope, answer)
    for role, secret in cookies.items():
        answer = await ask(stranger, endpoint, Cookie=f"sg_admin={secret}")
        assert (answer not in REFUSED) is (endpoint.needs in OF_ROLE[role]), (role, answer)
        assert answer[0] < 500, (role, answer)


async def test_a_bad_key_is_not_rescued_by_a_good_cookie(
    stranger: httpx2.AsyncClient, cookies: dict[Role, str]
) -> None:
    headers = {"Authorization": "Bearer sgk_made-up", "Cookie": f"sg_admin={cookies[Role.OWNER]}"}
    assert (await stranger.get("/api/admin/events", headers=headers)).status_code == 401


async def test_every_permission_is_somebodys() -> None:
    assert OF_ROLE[Role.OWNER] == set(Permission)
    assert OF_ROLE[Role.OPERATOR] < OF_ROLE[Role.ADMIN] < OF_ROLE[Role.OWNER]
