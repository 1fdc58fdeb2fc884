"""A playing session: resume, refresh, heartbeat and release."""

from dataclasses import replace

import httpx2
import pytest

from authz_sidecar.contract.playback_token import mint
from tests.support.clients.api import Admin, ControlPlane, ViewerClient, claims_of, cookies_of, older
from tests.support.data.forging import RING

pytestmark = pytest.mark.anyio


@pytest.fixture
async def ticket(admin: Admin, phone: ViewerClient) -> dict[str, str]:
    """The ticket on which the phone watches; another device may take over."""
    ticket = await admin.ticket(sessionPolicy="takeover")
    assert (await phone.validate(ticket["code"])).status_code == 200
    return ticket


def status_and_reason(answer: httpx2.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["reason"]


async def sid_is_cut(plane: ControlPlane, sid: str | None) -> bool:
    return sid in {entry["id"] for entry in (await plane.feed())["changes"] if entry["kind"] == "session"}


# --- resume ---


async def test_a_reloaded_page_resumes_without_the_code(
    plane: ControlPlane, ticket: dict[str, str], phone: ViewerClient
) -> None:
    old = phone.token
    answer = await phone.resume()
    assert answer.status_code == 200
    assert answer.json()["streamPath"] == f"/streams/{ticket['eventId']}/stream.m3u8"
    assert {"sg_playback", "sg_resume"} == cookies_of(answer).keys()
    assert claims_of(phone.token).sid != claims_of(old).sid
    assert await sid_is_cut(plane, claims_of(old).sid)
    assert (await phone.heartbeat()).status_code == 200


async def test_a_page_can_be_reloaded_again_and_again(
    ticket: dict[str, str], phone: ViewerClient, laptop: ViewerClient
) -> None:
    assert [(await phone.resume()).status_code for _ in range(5)] == [200] * 5
    assert (await laptop.validate(ticket["code"])).status_code == 409


@pytest.mark.usefixtures("ticket")
async def test_a_page_whose_release_arrived_first_also_resumes(phone: ViewerClient) -> None:
    await phone.release()
    assert (await phone.resume()).status_code == 200
    assert (await phone.resume()).status_code == 200


@pytest.mark.usefixtures("ticket")
async def test_a_release_of_the_replaced_session_that_arrives_late_does_nothing(phone: ViewerClient) -> None:
    old = phone.token
    await phone.resume()
    assert (await phone.release(old)).json() == {"released": True}
    assert (await phone.heartbeat()).status_code == 200


async def test_a_browser_without_a_session_has_nothing_to_resume(laptop: ViewerClient) -> None:
    assert status_and_reason(await laptop.resume()) == (401, "no-session")
    laptop.http.cookies.set("sg_resume", "made up", path="/api/")
    assert status_and_reason(await laptop.resume()) == (401, "no-session")


def cookies_that_stay(phone: ViewerClient) -> set[str | None]:
    return {cookie.name for cookie in phone.http.cookies.jar}


async def test_resuming_after_a_revocation_is_refused_and_its_cookies_are_deleted(
    admin: Admin, ticket: dict[str, str], phone: ViewerClient
) -> None:
    await admin.patch("tokens", ticket["id"], "revoke")
    assert cookies_that_stay(phone) == {"sg_resume", "sg_playback"}
    answer = await phone.resume()
    assert status_and_reason(answer) == (403, "revoked")
    assert cookies_of(answer)["sg_playback"]["path"] == f"/streams/{ticket['eventId']}/"
    assert cookies_that_stay(phone) == {"sg_resume"}, "the browser's other tabs need it"
    assert status_and_reason(await phone.resume()) == (403, "revoked")


async def test_resuming_after_a_deactivation_is_refused(
    admin: Admin, ticket: dict[str, str], phone: ViewerClient
) -> None:
    await admin.patch("events", ticket["eventId"], "deactivate")
    assert status_and_reason(await phone.resume()) == (403, "event")
    assert cookies_that_stay(phone) == {"sg_resume"}


async def test_the_deleted_cookies_are_those_of_the_event_watched_last(
    admin: Admin, ticket: dict[str, str], phone: ViewerClient
) -> None:
    last = await admin.ticket()
    await phone.validate(last["code"])
    await admin.patch("tokens", last["id"], "revoke")
    assert status_and_reason(await phone.resume()) == (403, "revoked")
    assert {cookie.path for cookie in phone.http.cookies.jar} == {"/api/", f"/streams/{ticket['eventId']}/"}


async def test_resuming_after_a_takeover_is_refused_and_does_not_end_the_other_session(
    ticket: dict[str, str], phone: ViewerClient, laptop: ViewerClient
) -> None:
    await laptop.validate(ticket["code"], takeover=True)
    answer = await phone.resume()
    assert status_and_reason(answer) == (409, "taken-over")
    assert cookies_that_stay(phone) == {"sg_resume"}
    assert (await laptop.heartbeat()).status_code == 200


async def test_resuming_a_restored_ticket_needs_no_code_either(
    admin: Admin, ticket: dict[str, str], phone: ViewerClient
) -> None:
    await admin.patch("tokens", ticket["id"], "revoke")
    await admin.patch("tokens", ticket["id"], "unrevoke")
    assert (await phone.resume()).status_code == 200


async def test_a_seat_that_was_taken_meanwhile_is_not_resumed(
    ticket: dict[str, str], phone: ViewerClient, laptop: ViewerClient
) -> None:
    await phone.release()
    await laptop.validate(ticket["code"])
    assert status_and_reason(await phone.resume()) == (409, "in-use")


# --- refresh ---


async def test_a_refreshed_token_has_the_same_session_and_the_cookie_is_updated(
    ticket: dict[str, str], phone: ViewerClient
) -> None:
    answer = await phone.refresh(older(phone.token, 3000))
    fresh, before = claims_of(answer.json()["playbackToken"]), claims_of(phone.token)
    assert answer.json().keys() == {"playbackToken", "tokenExpiresIn", "isHeld"}
    assert (fresh.sid, fresh.sub, fresh.eid) == (before.sid, ticket["code"], ticket["eventId"])
    assert 3500 <= answer.json()["tokenExpiresIn"] <= 3600
    cookie = cookies_of(answer)["sg_playback"]
    assert cookie["path"] == f"/streams/{ticket['eventId']}/"
    assert claims_of(cookie.value) == fresh


@pytest.mark.usefixtures("ticket")
async def test_a_token_expired_for_less_than_a_minute_is_refreshed_and_an_older_one_is_not(phone: ViewerClient) -> None:
    assert (await phone.refresh(older(phone.token, 3600 + 20))).status_code == 200
    assert status_and_reason(await phone.refresh(older(phone.token, 3600 + 61))) == (401, "invalid")


@pytest.mark.usefixtures("ticket")
async def test_a_token_can_be_refreshed_twelve_times_in_its_lifetime(plane: ControlPlane, phone: ViewerClient) -> None:
    answers = [await phone.refresh() for _ in range(13)]
    assert [answer.status_code for answer in answers] == [200] * 12 + [429]
    assert 3500 <= int(answers[-1].headers["retry-after"]) <= 3600
    assert (await phone.heartbeat()).status_code == 200
    assert plane.services.settings.playback_token_seconds == 3600


async def test_a_token_that_lasts_as_long_as_its_ticket_is_not_renewed(admin: Admin, phone: ViewerClient) -> None:
    ticket = await admin.ticket(starts_in_hours=-2, ends_in_hours=-0.75, accessWindowHours=1)
    await phone.validate(ticket["code"])
    assert status_and_reason(await phone.refresh()) == (403, "final")
    assert (await phone.heartbeat()).status_code == 200


async def test_an_ended_session_is_not_refreshed(
    admin: Admin, ticket: dict[str, str], phone: ViewerClient, laptop: ViewerClient
) -> None:
    await laptop.validate(ticket["code"], takeover=True)
    assert status_and_reason(await phone.refresh()) == (409, "taken-over")
    await laptop.release()
    assert status_and_reason(await laptop.refresh()) == (404, "released")
    await admin.patch("tokens", ticket["id"], "revoke")
    assert status_and_reason(await laptop.refresh()) == (403, "revoked")
    await admin.patch("tokens", ticket["id"], "unrevoke")
    await admin.patch("events", ticket["eventId"], "deactivate")
    assert status_and_reason(await laptop.refresh()) == (403, "event")


# --- heartbeat ---


@pytest.mark.usefixtures("ticket")
async def test_a_heartbeat_of_a_live_session_is_accepted(phone: ViewerClient) -> None:
    assert (await phone.heartbeat()).json()["ok"] is True


async def test_a_heartbeat_of_an_ended_session_gets_its_reason(
    admin: Admin, ticket: dict[str, str], phone: ViewerClient, laptop: ViewerClient
) -> None:
    await laptop.validate(ticket["code"], takeover=True)
    assert status_and_reason(await phone.heartbeat()) == (409, "taken-over")
    await admin.patch("tokens", ticket["id"], "revoke")
    assert status_and_reason(await laptop.heartbeat()) == (404, "revoked")


async def test_a_heartbeat_of_an_unknown_session_is_not_found(ticket: dict[str, str], phone: ViewerClient) -> None:
    unknown = mint(replace(claims_of(phone.token), sid="x" * 22, sub=ticket["code"]), RING)
    assert (await phone.heartbeat(unknown)).status_code == 404


# --- release ---


async def test_a_released_seat_is_free_at_once_and_its_token_is_refused_at_every_edge(
    plane: ControlPlane, ticket: dict[str, str], phone: ViewerClient, laptop: ViewerClient
) -> None:
    assert (await phone.release()).json() == {"released": True}
    assert await sid_is_cut(plane, claims_of(phone.token).sid)
    assert status_and_reason(await phone.heartbeat()) == (404, "released")
    assert (await laptop.validate(ticket["code"])).status_code == 200


@pytest.mark.usefixtures("ticket")
async def test_releasing_is_idempotent(plane: ControlPlane, phone: ViewerClient) -> None:
    assert [(await phone.release()).json() for _ in range(3)] == [{"released": True}] * 3
    assert len((await plane.feed())["changes"]) == 1


async def test_releasing_a_session_that_was_taken_over_does_not_change_its_end_reason(
    ticket: dict[str, str], phone: ViewerClient, laptop: ViewerClient
) -> None:
    await laptop.validate(ticket["code"], takeover=True)
    assert (await phone.release()).json() == {"released": True}
    assert status_and_reason(await phone.heartbeat()) == (409, "taken-over")
    assert (await laptop.heartbeat()).status_code == 200


async def test_a_beacon_releases_with_the_token_as_its_body(
    ticket: dict[str, str], phone: ViewerClient, laptop: ViewerClient
) -> None:
    answer = await phone.http.post("/api/playback/release", content=phone.token + "\n")
    assert answer.json() == {"released": True}
    assert (await laptop.validate(ticket["code"])).status_code == 200


async def test_a_token_that_expired_long_ago_still_releases(
    ticket: dict[str, str], phone: ViewerClient, laptop: ViewerClient
) -> None:
    assert (await phone.release(older(phone.token, 100_000))).status_code == 200
    assert (await laptop.validate(ticket["code"])).status_code == 200


# --- all of them ---


@pytest.mark.parametrize("action", ["refresh", "heartbeat", "release"])
@pytest.mark.parametrize("wrong", ["", "nonsense", "another secret", "probe"])
async def test_without_a_valid_token_nothing_is_done(
    ticket: dict[str, str], phone: ViewerClient, action: str, wrong: str
) -> None:
    claims = claims_of(phone.token)
    tokens = {
        "another secret": phone.token[:-4] + "AAAA",
        "probe": mint(replace(claims, sub=None, sid=None, probe=True), RING),
    }
    token = tokens.get(wrong, wrong)
    headers = {"Authorization": f"Bearer {token}"}
    assert status_and_reason(await phone.http.post(f"/api/playback/{action}", headers=headers)) == (401, "invalid")
    assert ticket["code"] not in (await phone.http.post(f"/api/playback/{action}")).text
    assert (await phone.heartbeat()).status_code == 200
