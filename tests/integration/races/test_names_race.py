"""Unique names and maximum numbers under simultaneous requests."""

from collections import Counter

import httpx2
import pytest

from tests.support.clients.api import Admin
from tests.support.clients.races import statuses

pytestmark = [pytest.mark.anyio, pytest.mark.both_databases]
AT_ONCE, RUNS = 8, 2
MOST_WEBHOOKS = 50
WEBHOOK = {"url": "https://93.184.216.34/", "topics": ["event.live"]}


async def create_at_once(admins: list[Admin], path: str, draft: object) -> Counter[int]:
    """Send the same request several times at once, to every control plane; return the statuses."""

    async def make(admin: Admin) -> httpx2.Response:
        return await admin.http.post(f"/api/admin{path}", json=draft)

    return await statuses(make, [admins[number % len(admins)] for number in range(AT_ONCE)])


async def test_of_simultaneous_users_with_one_name_exactly_one_is_created(admins: list[Admin]) -> None:
    for run in range(RUNS):
        draft = {"username": f"anna{run}", "role": "operator"}
        assert await create_at_once(admins, "/users", draft) == {201: 1, 409: AT_ONCE - 1}


async def test_of_simultaneous_keys_with_one_name_exactly_one_is_created(admins: list[Admin]) -> None:
    for run in range(RUNS):
        draft = {"name": f"door {run}", "scopes": ["read"]}
        assert await create_at_once(admins, "/api-keys", draft) == {201: 1, 409: AT_ONCE - 1}
        [key] = [key for key in (await admins[0].list("/api-keys"))["data"] if key["name"] == f"door {run}"]
        await admins[0].http.delete(f"/api/admin/api-keys/{key['id']}")
        assert await create_at_once(admins, "/api-keys", draft) == {201: 1, 409: AT_ONCE - 1}


async def test_simultaneous_webhooks_do_not_exceed_the_limit(admins: list[Admin]) -> None:
    there_are = (await admins[0].list("/webhooks"))["pagination"]["total"]
    for _ in range(MOST_WEBHOOKS - there_are - 2):
        assert (await admins[0].http.post("/api/admin/webhooks", json=WEBHOOK)).status_code == 201
    assert await create_at_once(admins, "/webhooks", WEBHOOK) == {201: 2, 409: AT_ONCE - 2}
    assert (await admins[0].list("/webhooks"))["pagination"]["total"] == MOST_WEBHOOKS
