"""Every way in which a session ends: the same reason in the database, the API, a webhook and the portal."""

import json
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, Final

import pytest
from sqlalchemy import select, text, update

from control_plane.clock import utc_now
from control_plane.end_reasons import MOVED, SENTENCES, EndReason
from control_plane.lifecycle import reaper
from control_plane.tables import LastSeen, Ticket, ViewingSession
from control_plane.webhooks.outbox import Topic
from tests.support.clients.api import Admin, ControlPlane, ViewerClient, claims_of
from tests.support.data.hooks import add_webhook, outbox_of

pytestmark = [pytest.mark.anyio, pytest.mark.both_databases]


class Scene:
    """A phone watches on a ticket; `laptop` is the viewer's other device."""

    def __init__(self, plane: ControlPlane, admin: Admin, phone: ViewerClient, laptop: ViewerClient) -> None:
        self.plane, self.admin, self.phone, self.laptop = plane, admin, phone, laptop
        self.ticket: dict[str, Any] = {}
        self.token = ""

    async def begin(self, **event: Any) -> None:
        self.ticket = await self.admin.ticket(**event)
        assert (await self.phone.validate(self.ticket["code"])).status_code == 200
        self.token = self.phone.token

    async def change(self, model: Any, **values: Any) -> None:
        async with self.plane.services.database.write() as db:
            await db.execute(update(model).values(**values))

    async def enter_on_the_laptop(self, **wish: Any) -> None:
        assert (await self.laptop.validate(self.ticket["code"], **wish)).status_code == 200

    async def stored(self) -> str | None:
        async with self.plane.services.database.read() as db:
            mine = ViewingSession.sid == claims_of(self.token).sid
            return await db.scalar(select(ViewingSession.end_reason).where(mine))


async def released(scene: Scene) -> None:
    await scene.begin()
    await scene.phone.release()


async def replaced(scene: Scene) -> None:
    await scene.begin()
    await scene.phone.validate(scene.ticket["code"])


async def timeout(scene: Scene) -> None:
    await scene.begin()
    await scene.change(LastSeen, at=utc_now() - timedelta(hours=25))
    await reaper.clear_up(scene.plane.services.database)


async def taken_over(scene: Scene) -> None:
    await scene.begin(sessionPolicy="takeover")
    await scene.enter_on_the_laptop(takeover=True)


async def yielded(scene: Scene) -> None:
    await scene.begin(starts_in_hours=1)
    await scene.enter_on_the_laptop()


async def on_tv(scene: Scene) -> None:
    await scene.begin()
    shown = (await scene.laptop.http.post("/api/tv/codes")).json()
    answer = await scene.phone.http.post(
        "/api/playback/tv/approve",
        json={"userCode": shown["userCode"]},
        headers={"Authorization": f"Bearer {scene.token}"},
    )
    assert answer.json() == {"approved": True, "moved": True}


async def stopped(scene: Scene) -> None:
    """A TV that the laptop has approved."""
    await scene.begin(maxDevices=2)
    await scene.enter_on_the_laptop()
    await scene.phone.release()
    shown = (await scene.phone.http.post("/api/tv/codes")).json()
    shows = {"Authorization": f"Bearer {scene.laptop.token}"}
    body = {"userCode": shown["userCode"]}
    (await scene.laptop.http.post("/api/playback/tv/approve", json=body, headers=shows)).raise_for_status()
    given = await scene.phone.http.post("/api/tv/session", json={"deviceCode": shown["deviceCode"]})
    scene.token = given.json()["playbackToken"]
    (await scene.laptop.http.delete("/api/playback/tv", headers=shows)).raise_for_status()


async def kicked(scene: Scene) -> None:
    await scene.begin()
    sid = claims_of(scene.token).sid
    (await scene.admin.http.delete(f"/api/admin/sessions/{sid}")).raise_for_status()


async def devices(scene: Scene) -> None:
    await scene.begin(maxDevices=2)
    await scene.change(LastSeen, at=utc_now() - timedelta(minutes=1))
    await scene.enter_on_the_laptop()
    path = f"/events/{scene.ticket['eventId']}"
    event = (await scene.admin.list(path))["data"]
    kept = ("title", "startsAt", "endsAt", "accessWindowHours", "sessionPolicy", "version")
    body = {name: event[name] for name in kept} | {"maxDevices": 1}
    (await scene.admin.http.put(f"/api/admin{path}", json=body)).raise_for_status()


async def expired(scene: Scene) -> None:
    await scene.begin()
    await scene.change(Ticket, expires_at=utc_now() - timedelta(minutes=2))
    await reaper.clear_up(scene.plane.services.database)


async def revoked(scene: Scene) -> None:
    await scene.begin()
    await scene.admin.patch("tokens", scene.ticket["id"], "revoke")


async def event(scene: Scene) -> None:
    await scene.begin()
    await scene.admin.patch("events", scene.ticket["eventId"], "deactivate")


async def deleted(scene: Scene) -> None:
    await scene.begin()
    (await scene.admin.http.delete(f"/api/admin/tokens/{scene.ticket['id']}")).raise_for_status()


async def unknown(scene: Scene) -> None:
    """As after a restored backup."""
    await scene.begin()
    async with scene.plane.services.database.write() as db:
        await db.delete(await db.get_one(ViewingSession, claims_of(scene.token).sid))


WAYS: Final[dict[EndReason, Callable[[Scene], Awaitable[None]]]] = {
    EndReason.RELEASED: released,
    EndReason.REPLACED: replaced,
    EndReason.TIMEOUT: timeout,
    EndReason.TAKEN_OVER: taken_over,
    EndReason.YIELDED: yielded,
    EndReason.ON_TV: on_tv,
    EndReason.STOPPED: stopped,
    EndReason.KICKED: kicked,
    EndReason.DEVICES: devices,
    EndReason.EXPIRED: expired,
    EndReason.REVOKED: revoked,
    EndReason.EVENT: event,
    EndReason.DELETED: deleted,
    EndReason.UNKNOWN: unknown,
}
NO_ROW: Final = {EndReason.DELETED, EndReason.UNKNOWN}
NOT_TOLD: Final = {EndReason.UNKNOWN}  # the session is missing, so no end was reported


@pytest.fixture
def scene(plane: ControlPlane, admin: Admin, phone: ViewerClient, laptop: ViewerClient) -> Scene:
    return Scene(plane, admin, phone, laptop)


@pytest.mark.parametrize("ending", EndReason)
async def test_each_end_reason_is_the_same_word_from_the_database_to_the_viewer(
    scene: Scene, ending: EndReason
) -> None:
    await add_webhook(scene.plane.services.database, "https://hooks.example.org/", [Topic.SESSION_ENDED])
    await WAYS[ending](scene)
    assert await scene.stored() == (None if ending in NO_ROW else ending.value)
    answer = await scene.phone.heartbeat(scene.token)
    assert answer.status_code == (409 if ending in MOVED else 404)
    assert answer.json() == {"error": SENTENCES[ending], "reason": ending.value}
    told = [json.loads(message.body)["data"] for message in await outbox_of(scene.plane.services.database)]
    expected = [] if ending in NOT_TOLD else [ending.value]
    assert [one["reason"] for one in told if one["sid"] == claims_of(scene.token).sid] == expected


async def test_a_word_of_a_newer_version_gets_the_general_sentence(scene: Scene) -> None:
    await released(scene)
    async with scene.plane.services.database.write() as db:
        await db.execute(text("UPDATE viewing_session SET end_reason = 'abducted'"))
    answer = await scene.phone.heartbeat(scene.token)
    assert (answer.status_code, answer.json()) == (404, {"error": SENTENCES[EndReason.UNKNOWN], "reason": "session"})
