"""Changes of events' own origins are announced with the feed, so sidecars need not poll; older ones still may."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import anyio
import httpx2
import pytest

from tests.support.clients.api import INTERNAL_KEY, Admin, ControlPlane, make_settings, running

pytestmark = pytest.mark.anyio
HOSTS = "media.example, other.example"
ADDRESS = "https://media.example/live/"
KEY = {"X-Internal-Api-Key": INTERNAL_KEY}


@pytest.fixture
async def plane(database_url: str) -> AsyncIterator[ControlPlane]:
    async with running(make_settings(database_url, upstream_allowed_hosts=HOSTS)) as started:
        with anyio.fail_after(20):
            while started.services.origin_news.tag is None:  # noqa: ASYNC110 - the first read sets no event
                await anyio.sleep(0.01)
        yield started


async def ask(plane: ControlPlane, **query: str) -> httpx2.Response:
    async with plane.browser() as sidecar:
        return await sidecar.get("/internal/feed", params=query, headers=KEY, timeout=60)


async def told_after(plane: ControlPlane, change: Any) -> httpx2.Response:
    """Follow the feed as an up-to-date sidecar; make the change; return the answer."""
    first = await ask(plane, cursor="", wait="0", origins="")
    answers: list[httpx2.Response] = []

    async def follow() -> None:
        known = {"cursor": first.json()["cursor"], "origins": first.headers["x-origins"]}
        answers.append(await ask(plane, wait="30", **known))

    with anyio.fail_after(25):  # the request itself would wait for 30 s
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(follow)
            await change()
    assert answers[0].headers["x-origins"] != first.headers["x-origins"]
    return answers[0]


async def listed(plane: ControlPlane) -> httpx2.Response:
    async with plane.browser() as sidecar:
        return await sidecar.get("/internal/origins", headers=KEY)


async def test_a_follower_is_notified_of_a_new_origin_at_once_and_finds_it_in_the_list(
    plane: ControlPlane, admin: Admin
) -> None:
    made: list[str] = []

    async def create() -> None:
        made.append(await admin.create_event(streamUrl=ADDRESS))

    answer = await told_after(plane, create)
    assert answer.json()["changes"] == []
    found = await listed(plane)
    assert found.headers["etag"] == f'"{answer.headers["x-origins"]}"'
    assert found.json()["origins"] == {made[0]: ADDRESS}


async def test_it_is_notified_of_a_new_address_of_credentials_of_a_new_end_and_of_deletion(
    plane: ControlPlane, admin: Admin
) -> None:
    event = await admin.create_event(streamUrl=ADDRESS)
    await plane.services.origin_news.check()

    async def change(**values: Any) -> None:
        known = (await admin.list(f"/events/{event}"))["data"]
        kept = ("title", "startsAt", "endsAt", "accessWindowHours", "version", "streamUrl")
        await admin.http.put(f"/api/admin/events/{event}", json={name: known[name] for name in kept} | values)

    async def show() -> None:
        await admin.http.put(f"/api/admin/events/{event}/origin-credentials", json={"header": "X-Key: abc"})

    async def delete() -> None:
        await admin.http.delete(f"/api/admin/events/{event}", headers={"X-Confirm-Delete": "Concert"})

    long_ago = datetime.now(UTC) - timedelta(days=30)
    over = {"startsAt": long_ago.isoformat(), "endsAt": (long_ago + timedelta(hours=1)).isoformat()}
    await told_after(plane, lambda: change(streamUrl="https://other.example/live/"))
    await told_after(plane, show)
    await told_after(plane, delete)
    event = await admin.create_event(streamUrl=ADDRESS)
    await plane.services.origin_news.check()
    await told_after(plane, lambda: change(**over))


async def test_an_origins_credentials_are_in_no_page_of_the_feed(plane: ControlPlane, admin: Admin) -> None:
    event = await admin.create_event(streamUrl=ADDRESS)

    async def show() -> None:
        await admin.http.put(f"/api/admin/events/{event}/origin-credentials", json={"header": "X-Key: hunter2"})

    answer = await told_after(plane, show)
    assert "hunter2" not in f"{answer.text}{answer.headers}"


async def test_an_older_sidecar_that_does_not_know_origins_is_not_woken_and_may_poll(
    plane: ControlPlane, admin: Admin
) -> None:
    cursor = (await ask(plane, cursor="", wait="0")).json()["cursor"]
    answers: list[httpx2.Response] = []

    async def wait_for_news() -> None:
        answers.append(await ask(plane, cursor=cursor, wait="30"))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(wait_for_news)
        await admin.create_event(streamUrl=ADDRESS)
        await anyio.sleep(1)  # no answer may arrive
        assert not answers
        tasks.cancel_scope.cancel()
    assert len((await listed(plane)).json()["origins"]) == 1


async def test_other_changes_wake_no_follower(plane: ControlPlane, admin: Admin) -> None:
    before = plane.services.origin_news.tag
    await admin.create_event()
    await plane.services.origin_news.check()
    assert plane.services.origin_news.tag == before
