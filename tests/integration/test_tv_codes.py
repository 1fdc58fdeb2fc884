"""A TV shows a code and the phone approves it: permissions, the seat it uses, and the lifetime of a code."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import anyio
import httpx2
import pytest
from sqlalchemy import func, select, text, update

from control_plane.clock import utc_now
from control_plane.db.database import Database
from control_plane.lifecycle import deletion, reaper
from control_plane.sessions import sessions, tv_codes
from control_plane.tables import TvCode
from control_plane.tickets import tickets
from tests.support.clients.api import Admin, ControlPlane, ViewerClient, claims_of, cookies_of
from tests.support.leaks import remember

pytestmark = [pytest.mark.anyio, pytest.mark.both_databases]
TV_CODE = "This TV code is wrong or has expired. The TV shows the current one."


class Tv:
    """A TV's browser at its own address."""

    def __init__(self, viewer: ViewerClient) -> None:
        self.viewer = viewer
        self.shown: dict[str, Any] = {}

    async def show(self) -> str:
        answer = await self.viewer.http.post("/api/tv/codes")
        assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
        self.shown = answer.json()
        remember(self.shown["deviceCode"])
        return str(self.shown["userCode"])

    async def ask(self) -> httpx2.Response:
        answer = await self.viewer.http.post("/api/tv/session", json={"deviceCode": self.shown["deviceCode"]})
        return self.viewer._keep(answer)


@pytest.fixture
async def tv(plane: ControlPlane) -> AsyncIterator[Tv]:
    async with plane.browser("192.0.2.99", **{"User-Agent": "Television/1"}) as http:
        yield Tv(ViewerClient(http))


async def approve(viewer: ViewerClient, user_code: str) -> httpx2.Response:
    headers = {"Authorization": f"Bearer {viewer.token}"}
    return await viewer.http.post("/api/playback/tv/approve", json={"userCode": user_code}, headers=headers)


async def approve_with(viewer: ViewerClient, user_code: str, code: str, **more: bool) -> httpx2.Response:
    return await viewer.http.post("/api/tv/approve", json={"userCode": user_code, "code": code} | more)


async def plan(viewer: ViewerClient) -> bool:
    answer = await viewer.http.get("/api/playback/tv", headers={"Authorization": f"Bearer {viewer.token}"})
    return bool(answer.json()["pausesHere"])


def status_and_reason(answer: httpx2.Response) -> tuple[int, str]:
    return answer.status_code, answer.json().get("reason", "")


async def test_the_code_is_short_without_look_alikes_and_its_qr_code_opens_the_portal(tv: Tv) -> None:
    code = await tv.show()
    assert len(code) == 8
    assert not set(code) & set("0O1IlS5Z2B8AEUY") - set("BSZ")
    assert tv.shown["verificationUrl"] == "http://tickets.example"
    assert (tv.shown["expiresIn"], tv.shown["interval"]) == (600, 5)
    assert tv.shown["qr"].startswith("<svg")
    assert (await tv.show()) != code


async def test_a_page_with_a_second_seat_approves_the_tv_and_keeps_playing(
    admin: Admin, phone: ViewerClient, tv: Tv
) -> None:
    ticket = await admin.ticket(maxDevices=2)
    await phone.validate(ticket["code"])
    code = await tv.show()
    assert (await tv.ask()).json() == {"interval": 5}
    assert not await plan(phone)
    assert (await approve(phone, f"{code[:4]}-{code[4:].lower()} ")).json() == {"approved": True, "moved": False}
    granted = await tv.ask()
    assert granted.status_code == 200
    assert granted.json()["event"]["id"] == ticket["eventId"]
    assert cookies_of(granted).keys() == {"sg_playback", "sg_resume"}
    assert (await phone.heartbeat()).status_code == 200
    assert (await tv.viewer.heartbeat()).status_code == 200
    assert claims_of(tv.viewer.token).sid != claims_of(phone.token).sid
    stopped = await phone.http.delete("/api/playback/tv", headers={"Authorization": f"Bearer {phone.token}"})
    assert stopped.json() == {"stopped": True}
    assert status_and_reason(await tv.viewer.heartbeat()) == (404, "stopped")


async def test_without_a_second_seat_the_page_gives_its_own_to_the_tv_and_can_take_it_back(
    admin: Admin, phone: ViewerClient, laptop: ViewerClient, tv: Tv
) -> None:
    ticket = await admin.ticket()
    await phone.validate(ticket["code"])
    assert await plan(phone)
    assert (await approve(phone, await tv.show())).json() == {"approved": True, "moved": True}
    assert status_and_reason(await phone.heartbeat()) == (409, "on-tv")
    assert (await tv.ask()).status_code == 200
    assert (await tv.viewer.resume(claims_of(tv.viewer.token).sid)).status_code == 200, "a TV can be reloaded"
    assert status_and_reason(await laptop.validate(ticket["code"], takeover=True)) == (409, "in-use")
    offered = await phone.validate(ticket["code"])
    assert (offered.status_code, offered.json()["canTakeOver"]) == (409, True)
    assert (await phone.validate(ticket["code"], takeover=True)).status_code == 200
    assert status_and_reason(await tv.viewer.heartbeat()) == (409, "taken-over")


async def test_a_phone_that_does_not_watch_approves_the_tv_with_a_code(
    admin: Admin, phone: ViewerClient, tv: Tv
) -> None:
    ticket = await admin.ticket()
    assert status_and_reason(await approve_with(phone, await tv.show(), "Wrong0Code12")) == (401, "unknown")
    assert (await approve_with(phone, tv.shown["userCode"], ticket["code"])).json()["approved"]
    assert (await tv.ask()).status_code == 200
    assert (await admin.list("/tokens"))["data"][0]["status"] == "redeemed"
    [session] = (await admin.list("/sessions"))["data"]
    assert session["sid"] == claims_of(tv.viewer.token).sid


async def test_a_watching_phone_that_types_its_code_also_moves_to_the_tv(
    admin: Admin, phone: ViewerClient, tv: Tv
) -> None:
    ticket = await admin.ticket()
    await phone.validate(ticket["code"])
    assert (await approve_with(phone, await tv.show(), ticket["code"])).json() == {"approved": True, "moved": True}
    assert status_and_reason(await phone.heartbeat()) == (409, "on-tv")


async def test_another_watching_device_is_not_replaced_without_confirmation(
    admin: Admin, phone: ViewerClient, laptop: ViewerClient, tv: Tv
) -> None:
    ticket = await admin.ticket(sessionPolicy="takeover")
    await laptop.validate(ticket["code"])
    refused = await approve_with(phone, await tv.show(), ticket["code"])
    assert (status_and_reason(refused), refused.json()["canTakeOver"]) == ((409, "in-use"), True)
    assert (await approve_with(phone, tv.shown["userCode"], ticket["code"], takeover=True)).json()["approved"]
    assert status_and_reason(await laptop.heartbeat()) == (409, "taken-over")


async def test_each_code_can_be_used_once_on_both_sides(admin: Admin, phone: ViewerClient, tv: Tv) -> None:
    ticket = await admin.ticket(maxDevices=3)
    await phone.validate(ticket["code"])
    code = await tv.show()
    await approve(phone, code)
    again = await approve(phone, code)
    assert (status_and_reason(again), again.json()["error"]) == ((404, "tv-code"), TV_CODE)
    assert (await tv.ask()).status_code == 200
    assert status_and_reason(await tv.ask()) == (404, "tv-code")


async def test_a_code_expires_after_ten_minutes_and_is_deleted(
    plane: ControlPlane, admin: Admin, phone: ViewerClient, tv: Tv
) -> None:
    await phone.validate((await admin.ticket())["code"])
    code = await tv.show()
    async with plane.services.database.write() as db:
        await db.execute(update(TvCode).values(expires_at=utc_now() - timedelta(seconds=1)))
    assert status_and_reason(await approve(phone, code)) == (404, "tv-code")
    assert status_and_reason(await tv.ask()) == (404, "tv-code")
    await reaper.clear_up(plane.services.database)
    async with plane.services.database.read() as db:
        assert await db.scalar(select(func.count()).select_from(TvCode)) == 0
    assert (await phone.heartbeat()).status_code == 200


@pytest.mark.parametrize("way", ["page", "code"])
async def test_guessing_codes_of_tvs_is_limited(admin: Admin, phone: ViewerClient, way: str) -> None:
    ticket = await admin.ticket()
    await phone.validate(ticket["code"])
    answers = [
        await (approve(phone, guess) if way == "page" else approve_with(phone, guess, ticket["code"]))
        for guess in ("BCDFGHJK", "bcdf-ghjl", "\u0000", "\U0001f4a9", "B" * 40, "CCCCCCCC", "DDDDDDDD")
    ]
    assert [answer.status_code for answer in answers] == [404] * 5 + [429] * 2
    assert (await phone.heartbeat()).status_code == 200


async def test_a_tv_that_polls_too_often_is_limited(tv: Tv) -> None:
    await tv.show()
    answers = [await tv.ask() for _ in range(31)]
    assert [answer.status_code for answer in answers] == [202] * 30 + [429]
    assert int(answers[-1].headers["retry-after"]) > 0


@pytest.mark.parametrize(
    "body", ["", "[]", "{}", '{"deviceCode": 5}', '{"deviceCode": "\u0000"}', '{"deviceCode": ""}']
)
async def test_an_invalid_request_is_malformed(tv: Tv, body: str) -> None:
    assert status_and_reason(await tv.viewer.http.post("/api/tv/session", content=body)) == (400, "malformed")


async def test_a_revoked_ticket_approves_no_tv_and_an_approved_tv_gets_nothing(
    admin: Admin, phone: ViewerClient, tv: Tv
) -> None:
    ticket = await admin.ticket()
    await approve_with(phone, await tv.show(), ticket["code"])
    await admin.patch("tokens", ticket["id"], "revoke")
    assert status_and_reason(await tv.ask()) == (403, "revoked")
    assert status_and_reason(await approve_with(phone, await tv.show(), ticket["code"])) == (403, "revoked")


async def test_the_actions_are_in_the_audit_log_without_secrets(admin: Admin, phone: ViewerClient, tv: Tv) -> None:
    ticket = await admin.ticket()
    await approve_with(phone, await tv.show(), ticket["code"])
    await tv.ask()
    entries = (await admin.list("/audit", limit=50))["data"]
    assert {"tv.approve", "token.issue"} <= {entry["action"] for entry in entries}
    secrets = tv.shown["deviceCode"], tv.shown["userCode"], ticket["code"]
    assert not [secret for secret in secrets if secret in str(entries)]


def test_a_code_may_be_typed_in_any_spelling() -> None:
    assert {tv_codes.parse_user_code(text) for text in ("BCDFGHJK", "bcdf-ghjk", " BCDF GHJK. ")} == {"BCDFGHJK"}


async def test_a_tv_locks_the_ticket_before_its_session(
    plane: ControlPlane, admin: Admin, phone: ViewerClient, tv: Tv
) -> None:
    """A revocation locks in the same order; otherwise the two deadlock on PostgreSQL."""
    database, ticket = plane.services.database, await admin.ticket()
    await approve_with(phone, await tv.show(), ticket["code"])
    answers: list[httpx2.Response] = []

    async def ask() -> None:
        answers.append(await tv.ask())

    async with anyio.create_task_group() as tasks, database.write() as db:
        await tickets.hold(db, ticket["id"])
        tasks.start_soon(ask)
        await until_a_lock_is_waited_for(database)
        [session] = await sessions.live_of(db, ticket["id"])
        assert session.ended_at is None
    assert [answer.status_code for answer in answers] == [200]


async def test_a_tv_whose_ticket_is_deleted_while_it_asks_is_told_that_its_code_is_void(
    plane: ControlPlane, admin: Admin, phone: ViewerClient, tv: Tv
) -> None:
    database, ticket = plane.services.database, await admin.ticket()
    await approve_with(phone, await tv.show(), ticket["code"])
    answers: list[httpx2.Response] = []

    async def ask() -> None:
        answers.append(await tv.ask())

    async with anyio.create_task_group() as tasks, database.write() as db:
        await deletion.delete_ticket(db, ticket["id"], utc_now())
        tasks.start_soon(ask)
        await until_a_lock_is_waited_for(database)
    assert [answer.json()["error"] for answer in answers] == [TV_CODE]


async def until_a_lock_is_waited_for(database: Database) -> None:
    """Return at once on SQLite, where there is one writer."""
    if database.is_sqlite:
        return
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    with anyio.fail_after(20):
        while True:
            async with database.read() as db:
                if await db.scalar(text(waiting)):
                    return
            await anyio.sleep(0.02)
