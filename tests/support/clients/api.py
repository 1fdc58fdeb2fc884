"""The control plane in this process, on a real SQLite file, with clients of its API."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from http.cookies import Morsel, SimpleCookie
from typing import Any, Final

import httpx2
from argon2 import PasswordHasher

from authz_sidecar.contract.playback_token import Claims, mint, verify
from control_plane.accounts.passwords import PasswordChecker
from control_plane.app import create_app
from control_plane.db.sealing import Sealer
from control_plane.services import Services
from control_plane.settings import Settings
from tests.support.clients import documented
from tests.support.data.forging import RING, SECRET
from tests.support.leaks import remember

SECRETS_KEY: Final = "a key of tests for secrets that is long enough"
SEALER: Final = Sealer([SECRETS_KEY])
INTERNAL_KEY: Final = "an internal key of tests, long enough"
PASSWORD: Final = "correct horse battery staple"
HASHER: Final = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)  # deliberately weak: tests hash often
PASSWORD_HASH: Final = HASHER.hash(PASSWORD)
UNKNOWN_ID: Final = "00000000-0000-4000-8000-000000000000"


def make_settings(database_url: str, **changes: Any) -> Settings:
    values = {
        "playback_signing_secret": SECRET,
        "secrets_key": SECRETS_KEY,
        "internal_api_key": INTERNAL_KEY,
        "admin_password_hash": PASSWORD_HASH,
        "database_url": database_url,
        "hls_server_internal_url": "",  # there is no gate
    }
    return Settings(**(values | changes))


@dataclass(frozen=True)
class ControlPlane:
    services: Services
    transport: httpx2.ASGITransport

    def browser(self, address: str = "192.0.2.10", **headers: str) -> httpx2.AsyncClient:
        """Return a browser with its own cookies, at an address that is passed on as nginx does."""
        return httpx2.AsyncClient(
            transport=self.transport,
            base_url="http://tickets.example",
            headers={"X-Real-IP": address} | headers,
            timeout=30,
            event_hooks={"response": [documented.check]},
        )

    async def feed(self, cursor: str = "", wait: float = 0) -> dict[str, Any]:
        async with self.browser() as sidecar:
            query = {"cursor": cursor, "wait": str(wait)}
            answer = await sidecar.get("/internal/feed", params=query, headers={"X-Internal-Api-Key": INTERNAL_KEY})
        assert answer.status_code == 200, answer.text
        body: dict[str, Any] = answer.json()
        return body


@asynccontextmanager
async def running(settings: Settings, hasher: PasswordHasher = HASHER) -> AsyncIterator[ControlPlane]:
    """Run the application's lifespan, and pass its state to requests as a server does."""
    app = create_app(settings)
    async with app.router.lifespan_context(app) as state:
        assert state is not None
        services = replace(state["services"], passwords=PasswordChecker(hasher))

        async def with_state(scope: Any, receive: Any, send: Any) -> None:
            await app(scope | {"state": {"services": services}}, receive, send)

        yield ControlPlane(services, httpx2.ASGITransport(with_state))


class Admin:
    """An organiser who uses the JSON API."""

    def __init__(self, http: httpx2.AsyncClient) -> None:
        self.http = http

    async def sign_in(self, password: str = PASSWORD, **who: str) -> httpx2.Response:
        return await self.http.post("/api/admin/login", json={"password": password} | who)

    async def create_event(self, starts_in_hours: float = -1, ends_in_hours: float = 5, **values: Any) -> str:
        body = event_body(starts_in_hours, ends_in_hours) | values
        return str((await self._data("POST", "/events", body))["id"])

    async def codes(self, event_id: str, count: int = 1, label: str | None = None) -> list[dict[str, Any]]:
        order = {"count": count, "label": label}
        made: list[dict[str, Any]] = await self._data("POST", f"/events/{event_id}/tokens/generate", order)
        remember(*(ticket["code"] for ticket in made))
        return made

    async def ticket(self, **event: Any) -> dict[str, Any]:
        """Create an event and return its only ticket."""
        return (await self.codes(await self.create_event(**event)))[0]

    async def patch(self, kind: str, identifier: str, action: str) -> dict[str, Any]:
        changed: dict[str, Any] = await self._data("PATCH", f"/{kind}/{identifier}/{action}")
        return changed

    async def list(self, path: str, **query: Any) -> dict[str, Any]:
        answer = await self.http.get(f"/api/admin{path}", params=query)
        assert answer.status_code == 200, answer.text
        body: dict[str, Any] = answer.json()
        return body

    async def _data(self, method: str, path: str, body: Any = None) -> Any:
        answer = await self.http.request(method, f"/api/admin{path}", json=body)
        assert answer.is_success, answer.text
        return answer.json()["data"]


class ViewerClient:
    """One device with its own cookies."""

    def __init__(self, http: httpx2.AsyncClient) -> None:
        self.http = http
        self.token = ""

    async def validate(self, code: object, **more: Any) -> httpx2.Response:
        return self._keep(await self.http.post("/api/tokens/validate", json={"code": code} | more))

    async def resume(self, sid: str | None = None, token: str | None = None) -> httpx2.Response:
        """Resume as an older page does, as a tab that knows its `sid`, or as a page that has its `token`."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        body = {"sid": sid} if sid else None
        return self._keep(await self.http.post("/api/playback/resume", json=body, headers=headers))

    async def refresh(self, token: str | None = None) -> httpx2.Response:
        return await self._post("refresh", token)

    async def heartbeat(self, token: str | None = None) -> httpx2.Response:
        return await self._post("heartbeat", token)

    async def release(self, token: str | None = None) -> httpx2.Response:
        return await self._post("release", token)

    async def _post(self, action: str, token: str | None) -> httpx2.Response:
        headers = {"Authorization": f"Bearer {self.token if token is None else token}"}
        return await self.http.post(f"/api/playback/{action}", headers=headers)

    def _keep(self, answer: httpx2.Response) -> httpx2.Response:
        self.token = answer.json().get("playbackToken", self.token)
        remember(self.token, *answer.cookies.values())
        return answer


def event_body(starts_in_hours: float = -1, ends_in_hours: float = 5) -> dict[str, Any]:
    now = datetime.now(UTC)
    starts, ends = now + timedelta(hours=starts_in_hours), now + timedelta(hours=ends_in_hours)
    return {"title": "Concert", "startsAt": starts.isoformat(), "endsAt": ends.isoformat()}


def claims_of(token: str) -> Claims:
    return verify(token, RING, datetime.now(UTC).timestamp())


def older(token: str, seconds: int) -> str:
    """Return the same session's token as if it had been issued this much earlier."""
    claims = claims_of(token)
    return mint(replace(claims, iat=claims.iat - seconds, exp=claims.exp - seconds), RING)


def cookies_of(answer: httpx2.Response) -> dict[str, Morsel[str]]:
    """Return the cookies that a response sets, with their attributes."""
    jar = SimpleCookie()
    for line in answer.headers.get_list("set-cookie"):
        jar.load(line)
    return dict(jar)
