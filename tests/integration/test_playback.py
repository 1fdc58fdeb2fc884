"""Validate: from a code to a session, or to a refusal with its reason and nothing more."""

from datetime import UTC, datetime, timedelta

import httpx2
import pytest

from tests.support.clients.api import (
    UNKNOWN_ID,
    Admin,
    ControlPlane,
    ViewerClient,
    claims_of,
    cookies_of,
    make_settings,
    running,
)

pytestmark = pytest.mark.anyio


async def test_a_valid_code_is_answered_with_everything_a_player_needs(admin: Admin, phone: ViewerClient) -> None:
    ticket = await admin.ticket(title="Concert", description="Live", posterUrl="https://cdn.example/p.jpg")
    answer = await phone.validate(ticket["code"])
    assert answer.status_code == 200
    body, event_id = answer.json(), ticket["eventId"]
    times = {name: body["event"].pop(name) for name in ("startsAt", "endsAt")}
    assert all(datetime.fromisoformat(time).tzinfo for time in times.values())
    assert body.pop("event") == {
        "id": event_id,
        "title": "Concert",
        "description": "Live",
        "posterUrl": "https://cdn.example/p.jpg",
        "isLive": True,
    }
    claims = claims_of(body.pop("playbackToken"))
    assert (claims.sub, claims.eid, claims.exp - claims.iat) == (ticket["code"], event_id, 3600)
    assert 3500 <= body.pop("tokenExpiresIn") <= 3600
    expires_at = datetime.fromisoformat(body.pop("expiresAt"))
    assert expires_at == datetime.fromisoformat(ticket["expiresAt"])
    assert expires_at == datetime.fromisoformat(times["endsAt"]) + timedelta(hours=48)
    assert body == {
        "isHeld": False,
        "playbackBaseUrl": "",  # the streams are on the requested origin
        "streamPath": f"/streams/{event_id}/stream.m3u8",
    }


async def test_the_first_use_is_stored_and_later_ones_change_nothing(
    admin: Admin, phone: ViewerClient, laptop: ViewerClient
) -> None:
    ticket = await admin.ticket(maxDevices=2)
    assert ticket["redeemedAt"] is None
    await phone.validate(ticket["code"])
    first = (await admin.list("/tokens"))["data"][0]
    await laptop.validate(ticket["code"])
    second = (await admin.list("/tokens"))["data"][0]
    assert first["status"] == "redeemed"
    assert first["redeemedAt"] == second["redeemedAt"] is not None
    assert second["watching"] == 2


@pytest.mark.parametrize(
    "body",
    [
        "", "code", "[]", '"K7F2X9M4B1C3"', "null", "{}", '{"code": ""}', '{"code": "  "}', '{"code": null}',
        '{"code": 12345678}', '{"code": ["K7F2X9M4B1C3"]}', '{"code": "-"}', '{"code": "\\u0000\\u200b"}',
        '{"code": "Größe123"}', '{"code": "' + "e\u0301" * 20_000 + '"}',
        '{"code": "' + "K" * 65 + '"}', '{"code": "K7F2X9M4B1C3", "takeover": "yes"}', '{"code": "a", "code": "b"}',
        '{"code": "\\ud800"}', '{"code": NaN}', "{" * 10_000,
    ],
)  # fmt: skip
async def test_a_text_that_cannot_be_a_code_is_malformed(phone: ViewerClient, body: str) -> None:
    answer = await phone.http.post("/api/tokens/validate", content=body)
    assert (answer.status_code, answer.json()["reason"]) == (400, "malformed")
    assert answer.json()["error"].endswith(".")


@pytest.mark.parametrize("code", ["K7F2X9M4B1C3", "short", "K" * 64])
async def test_an_unknown_code_is_refused(phone: ViewerClient, code: str) -> None:
    answer = await phone.validate(code)
    assert answer.status_code == 401
    assert answer.json() == {
        "error": "Invalid code. Please check your ticket and try again.",
        "reason": "unknown",
    }
    assert "www-authenticate" not in answer.headers


async def test_a_revoked_code_is_refused(admin: Admin, phone: ViewerClient) -> None:
    ticket = await admin.ticket()
    await admin.patch("tokens", ticket["id"], "revoke")
    answer = await phone.validate(ticket["code"])
    assert answer.status_code == 403
    assert answer.json() == {
        "error": "This code has been revoked. Please contact the event organizer.",
        "reason": "revoked",
    }


async def test_a_code_of_a_deactivated_event_is_refused(admin: Admin, phone: ViewerClient) -> None:
    ticket = await admin.ticket()
    await admin.patch("events", ticket["eventId"], "deactivate")
    answer = await phone.validate(ticket["code"])
    assert answer.status_code == 403
    assert answer.json() == {"error": "This event is no longer available.", "reason": "event"}


async def test_an_expired_code_is_refused_with_its_end(admin: Admin, phone: ViewerClient) -> None:
    ticket = await admin.ticket(
        startsAt="2024-05-01T18:00:00Z", endsAt="2024-05-01T20:30:00Z", accessWindowHours=24, title="Past"
    )
    answer = await phone.validate(ticket["code"])
    assert answer.status_code == 410
    assert answer.json() == {
        "error": "This code has expired. Access was available until 2 May 2024, 20:30 UTC.",
        "reason": "expired",
        "expiresAt": "2024-05-02T20:30:00+00:00",
    }


async def test_a_second_device_is_refused_while_the_first_one_watches(
    admin: Admin, phone: ViewerClient, laptop: ViewerClient
) -> None:
    ticket = await admin.ticket()
    await phone.validate(ticket["code"])
    answer = await laptop.validate(ticket["code"])
    assert answer.status_code == 409
    assert answer.json() == {
        "error": "This access code is currently in use on another device.",
        "reason": "in-use",
        "inUse": True,
        "canTakeOver": False,
    }
    assert not cookies_of(answer)
    assert (await phone.heartbeat()).status_code == 200


async def test_a_takeover_is_refused_if_the_event_does_not_allow_it(
    admin: Admin, phone: ViewerClient, laptop: ViewerClient
) -> None:
    ticket = await admin.ticket()
    await phone.validate(ticket["code"])
    assert (await laptop.validate(ticket["code"], takeover=True)).status_code == 409
    assert (await phone.heartbeat()).status_code == 200


async def test_if_the_event_allows_it_another_device_takes_over_after_a_confirmation(
    admin: Admin, phone: ViewerClient, laptop: ViewerClient
) -> None:
    ticket = await admin.ticket(sessionPolicy="takeover")
    await phone.validate(ticket["code"])
    asked = await laptop.validate(ticket["code"])
    assert (asked.status_code, asked.json()["canTakeOver"]) == (409, True)
    assert (await laptop.validate(ticket["code"], takeover=True)).status_code == 200
    told = await phone.heartbeat()
    assert told.status_code == 409
    assert told.json() == {"error": "Your session has been started on another device.", "reason": "taken-over"}
    assert (await laptop.heartbeat()).status_code == 200


async def test_a_ticket_for_three_devices_allows_three_and_no_fourth(plane: ControlPlane, admin: Admin) -> None:
    ticket = await admin.ticket(maxDevices=3)
    answers = [await ViewerClient(plane.browser()).validate(ticket["code"]) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 409]


async def test_entering_the_code_again_in_the_same_browser_replaces_its_session(
    plane: ControlPlane, admin: Admin, phone: ViewerClient, laptop: ViewerClient
) -> None:
    ticket = await admin.ticket()
    await phone.validate(ticket["code"])
    old = phone.token
    assert (await phone.validate(ticket["code"])).status_code == 200
    assert claims_of(phone.token).sid != claims_of(old).sid
    assert (await phone.heartbeat(old)).json()["reason"] == "replaced"
    assert (await laptop.validate(ticket["code"])).status_code == 409
    assert [entry["id"] for entry in (await plane.feed())["changes"]] == [claims_of(old).sid]


async def test_the_resume_cookie_of_one_ticket_is_useless_for_another(
    admin: Admin, phone: ViewerClient, laptop: ViewerClient
) -> None:
    event_id = await admin.create_event()
    mine, other = await admin.codes(event_id, 2)
    await laptop.validate(other["code"])
    await phone.validate(mine["code"])
    assert (await phone.validate(other["code"])).status_code == 409
    assert (await laptop.heartbeat()).status_code == 200


async def test_the_cookies_have_narrow_paths_and_are_http_only(admin: Admin, phone: ViewerClient) -> None:
    ticket = await admin.ticket()
    cookies = cookies_of(await phone.validate(ticket["code"]))
    playback, resume = cookies["sg_playback"], cookies["sg_resume"]
    assert playback.value == phone.token
    assert playback["path"] == f"/streams/{ticket['eventId']}/"
    assert (playback["samesite"].lower(), resume["samesite"].lower()) == ("lax", "strict")
    assert resume["path"] == "/api/"
    assert 3500 <= int(playback["max-age"]) <= 3600
    assert resume["max-age"] == resume["expires"] == ""
    assert playback["httponly"]
    assert resume["httponly"]
    assert not playback["secure"]
    assert not resume["secure"]
    assert not playback["domain"]


async def test_over_https_the_cookies_are_secure(plane: ControlPlane, admin: Admin) -> None:
    ticket = await admin.ticket()
    async with plane.browser(**{"X-Forwarded-Proto": "https"}) as http:
        answer = await http.post("/api/tokens/validate", json={"code": ticket["code"]})
    assert all(cookie["secure"] for cookie in cookies_of(answer).values())
    assert "strict-transport-security" in answer.headers


async def test_the_response_names_the_configured_stream_server(database_url: str) -> None:
    settings = make_settings(
        database_url, hls_server_base_url="https://video.example/", platform_app_url="https://t.example"
    )
    async with running(settings) as plane, plane.browser() as http:
        http.base_url = httpx2.URL("https://t.example")
        admin, phone = Admin(http), ViewerClient(plane.browser())
        await admin.sign_in()
        answer = await phone.validate((await admin.ticket())["code"])
    assert answer.json()["playbackBaseUrl"] == "https://video.example"
    assert all(cookie["secure"] for cookie in cookies_of(answer).values())


async def test_a_token_lasts_no_longer_than_a_minute_beyond_its_ticket(admin: Admin, phone: ViewerClient) -> None:
    ticket = await admin.ticket(starts_in_hours=-2, ends_in_hours=-0.75, accessWindowHours=1)
    await phone.validate(ticket["code"])
    assert claims_of(phone.token).exp == int(datetime.fromisoformat(ticket["expiresAt"]).timestamp()) + 60


@pytest.mark.parametrize(
    ("starts_in", "ends_in", "status"), [(1, 2, "not-started"), (-1, 1, "live"), (-3, -1, "ended")]
)
async def test_the_holder_of_a_code_can_read_whether_the_event_has_begun(
    admin: Admin, phone: ViewerClient, starts_in: float, ends_in: float, status: str
) -> None:
    ticket = await admin.ticket(starts_in_hours=starts_in, ends_in_hours=ends_in)
    path = f"/api/events/{ticket['eventId']}/status"
    body = (await phone.http.get(path, params={"code": ticket["code"]})).json()
    assert (body["eventId"], body["status"]) == (ticket["eventId"], status)
    assert datetime.fromisoformat(body["startsAt"]) < datetime.fromisoformat(body["endsAt"])


async def test_the_status_requires_a_code(admin: Admin, phone: ViewerClient) -> None:
    ticket, other = await admin.ticket(), await admin.ticket()
    path = f"/api/events/{ticket['eventId']}/status"
    assert (await phone.http.get(path, params={"code": "K7F2X9M4B1C3"})).status_code == 401
    assert (await phone.http.get(path, params={"code": other["code"]})).status_code == 404
    assert (await phone.http.get(path)).status_code == 400
    unknown = f"/api/events/{UNKNOWN_ID}/status"
    assert (await phone.http.get(unknown, params={"code": ticket["code"]})).status_code == 404
    await admin.patch("tokens", ticket["id"], "revoke")
    assert (await phone.http.get(path, params={"code": ticket["code"]})).status_code == 403
    await admin.patch("events", other["eventId"], "deactivate")
    path = f"/api/events/{other['eventId']}/status"
    assert (await phone.http.get(path, params={"code": other["code"]})).json()["reason"] == "event"


async def test_the_status_of_an_event_whose_tickets_have_expired_is_gone(admin: Admin, phone: ViewerClient) -> None:
    ticket = await admin.ticket(starts_in_hours=-100, ends_in_hours=-90)
    answer = await phone.http.get(f"/api/events/{ticket['eventId']}/status", params={"code": ticket["code"]})
    assert (answer.status_code, answer.json()["reason"]) == (410, "expired")
    assert datetime.fromisoformat(answer.json()["expiresAt"]) < datetime.now(UTC)
