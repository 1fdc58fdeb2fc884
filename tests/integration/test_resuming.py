"""Each tab resumes its own session: several tickets in one browser, duplicated tabs, pages without cookies."""

import httpx2
import pytest

from control_plane.tables import ViewingSession
from tests.support.clients.api import Admin, ControlPlane, ViewerClient, claims_of, cookies_of, older

pytestmark = pytest.mark.anyio


def status_and_reason(answer: httpx2.Response) -> tuple[int, str]:
    return answer.status_code, answer.json().get("reason", "")


def sid_of(token: str) -> str:
    return str(claims_of(token).sid)


async def watch(viewer: ViewerClient, ticket: dict[str, str]) -> str:
    """Redeem in a tab of this browser; return its token."""
    assert (await viewer.validate(ticket["code"])).status_code == 200
    return viewer.token


async def why_over(plane: ControlPlane, token: str) -> str | None:
    async with plane.services.database.read() as db:
        return (await db.get_one(ViewingSession, sid_of(token))).end_reason


async def test_tickets_of_several_events_play_in_parallel(
    plane: ControlPlane, admin: Admin, phone: ViewerClient
) -> None:
    tickets = [await admin.ticket() for _ in range(3)]
    tabs = [await watch(phone, ticket) for ticket in tickets]
    for ticket, token in zip(tickets, tabs, strict=True):
        answer = await phone.resume(sid_of(token))
        assert answer.json()["event"]["id"] == ticket["eventId"]
        assert await why_over(plane, token) == "replaced"


async def test_a_refused_tab_does_not_affect_the_others(admin: Admin, phone: ViewerClient) -> None:
    good, bad = await admin.ticket(), await admin.ticket()
    stays, goes = await watch(phone, good), await watch(phone, bad)
    await admin.patch("tokens", bad["id"], "revoke")
    assert status_and_reason(await phone.resume(sid_of(goes))) == (403, "revoked")
    assert (await phone.resume(sid_of(stays))).status_code == 200


async def test_a_session_id_is_useless_in_another_browser(
    admin: Admin, phone: ViewerClient, laptop: ViewerClient
) -> None:
    ticket = await admin.ticket()
    token = await watch(phone, ticket)
    await watch(laptop, await admin.ticket())
    assert status_and_reason(await laptop.resume(sid_of(token))) == (401, "no-session")
    laptop.http.cookies.clear()
    assert status_and_reason(await laptop.resume(sid_of(token))) == (401, "no-session")
    assert (await phone.heartbeat(token)).status_code == 200


@pytest.mark.parametrize("sid", ["x" * 22, "-", "a" * 64])
async def test_an_unknown_session_is_refused(admin: Admin, phone: ViewerClient, sid: str) -> None:
    await watch(phone, await admin.ticket())
    assert status_and_reason(await phone.resume(sid)) == (401, "no-session")


@pytest.mark.parametrize(
    "body",
    ['{"sid": 5}', '{"sid": ""}', '{"sid": "' + "a" * 65 + '"}', "[]", "{", '{"sid":["a"]}', '{"sid":"\\u0000"}'],
)
async def test_an_invalid_session_id_is_malformed(admin: Admin, phone: ViewerClient, body: str) -> None:
    await watch(phone, await admin.ticket())
    assert status_and_reason(await phone.http.post("/api/playback/resume", content=body)) == (400, "malformed")


async def test_a_page_without_cookies_resumes_with_its_token(
    plane: ControlPlane, admin: Admin, phone: ViewerClient
) -> None:
    """As in an iframe of another site."""
    old = await watch(phone, await admin.ticket())
    phone.http.cookies.clear()
    answer = await phone.resume(token=old)
    assert answer.status_code == 200
    assert "sg_resume" not in cookies_of(answer)
    assert await why_over(plane, old) == "replaced"
    assert (await phone.heartbeat()).status_code == 200


async def test_a_page_that_resumed_with_its_token_can_still_be_reloaded(admin: Admin, phone: ViewerClient) -> None:
    await watch(phone, await admin.ticket())
    await phone.resume(token=phone.token)
    assert (await phone.resume(sid_of(phone.token))).status_code == 200


async def test_a_page_replaced_by_another_tab_never_takes_the_seat_back_automatically(
    admin: Admin, phone: ViewerClient
) -> None:
    ticket = await admin.ticket()
    first = await watch(phone, ticket)
    second = await watch(phone, ticket)
    for answer in (await phone.resume(token=first), await phone.refresh(first), await phone.heartbeat(first)):
        assert status_and_reason(answer) == (404, "replaced")
        assert answer.json()["error"] == "This is now playing in another tab of this browser."
    assert (await phone.heartbeat(second)).status_code == 200


async def test_a_page_that_released_its_seat_never_takes_it_back_automatically(
    admin: Admin, phone: ViewerClient
) -> None:
    ticket = await admin.ticket()
    first = await watch(phone, ticket)
    await phone.release(first)
    second = await watch(phone, ticket)
    assert status_and_reason(await phone.resume(token=first)) == (409, "in-use")
    assert (await phone.heartbeat(second)).status_code == 200


async def test_the_viewer_may_take_the_seat_back_by_a_reload(
    plane: ControlPlane, admin: Admin, phone: ViewerClient
) -> None:
    ticket = await admin.ticket()
    first = await watch(phone, ticket)
    second = await watch(phone, ticket)
    assert (await phone.resume(sid_of(first))).status_code == 200
    assert await why_over(plane, second) == "replaced"


async def test_a_token_that_expired_long_ago_reveals_nothing_of_its_session(admin: Admin, phone: ViewerClient) -> None:
    token = await watch(phone, await admin.ticket())
    assert status_and_reason(await phone.resume(token=older(token, 3600 + 61))) == (401, "invalid")
    assert (await phone.resume(token=older(token, 3600 + 20))).status_code == 200


@pytest.mark.parametrize("taken", ["ticket", "event"])
async def test_a_deleted_ticket_is_reported_as_deleted(admin: Admin, phone: ViewerClient, taken: str) -> None:
    ticket = await admin.ticket()
    token = await watch(phone, ticket)
    path = f"tokens/{ticket['id']}" if taken == "ticket" else f"events/{ticket['eventId']}"
    (await admin.http.delete(f"/api/admin/{path}", headers={"X-Confirm-Delete": "Concert"})).raise_for_status()
    for answer in (await phone.heartbeat(token), await phone.refresh(token), await phone.resume(token=token)):
        assert status_and_reason(answer) == (404, "deleted")
        assert answer.json()["error"] == "This code is no longer valid. Please contact the event organizer."
