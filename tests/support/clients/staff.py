"""Users with roles and second factors, and programs with API keys, at the JSON API."""

from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from typing import Any

import httpx2

from control_plane.accounts import totp
from tests.support.clients.api import PASSWORD, Admin, ControlPlane


async def hire(owner: Admin, username: str, role: str, password: str = PASSWORD) -> str:
    """Create a user and return their id."""
    draft = {"username": username, "role": role, "password": password}
    answer = await owner.http.post("/api/admin/users", json=draft)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["data"]["id"])


async def new_key(owner: Admin, *scopes: str, name: str = "box office") -> dict[str, Any]:
    answer = await owner.http.post("/api/admin/api-keys", json={"name": name, "scopes": list(scopes)})
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()["data"]
    return made


def program(plane: ControlPlane, key: str) -> AbstractAsyncContextManager[httpx2.AsyncClient]:
    return plane.browser("203.0.113.9", Authorization=f"Bearer {key}")


async def use_codes(person: Admin) -> tuple[str, list[str]]:
    """Switch authentication codes on; return the secret and the recovery codes."""
    begun = await person.http.post("/api/admin/account/totp", json={"password": PASSWORD})
    assert begun.status_code == 201, begun.text
    secret = str(begun.json()["data"]["secret"])
    confirmed = await person.http.post("/api/admin/account/totp/confirm", json={"code": code_now(secret)})
    assert confirmed.status_code == 200, confirmed.text
    return secret, confirmed.json()["data"]["recoveryCodes"]


def code_now(secret: str, steps_ahead: int = 0) -> str:
    return totp.code_at(secret, totp.step_at(datetime.now(UTC)) + steps_ahead)


async def audit_of(owner: Admin, action: str) -> list[dict[str, Any]]:
    """Return the audit entries of an action, oldest first."""
    listed = await owner.list("/audit", action=action, limit=200)
    return list(reversed(listed["data"]))
