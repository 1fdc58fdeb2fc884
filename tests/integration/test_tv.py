"""Watch on TV: the seat it uses, the lifetime of its link, and what ends it."""

from datetime import datetime
from urllib.parse import urlsplit
from xml.etree import ElementTree as ET

import httpx2
import pytest

from authz_sidecar.contract.playback_token import Claims
from tests.support.clients.api import Admin, ControlPlane, ViewerClient, claims_of, make_settings, older, running

pytestmark = pytest.mark.anyio


@pytest.fixture
async def pair(admin: Admin, phone: ViewerClient) -> dict[str, str]:
    """A ticket for two devices, on which the phone watches."""
    ticket = await admin.ticket(maxDevices=2)
    await phone.validate(ticket["code"])
    return ticket


@pytest.fixture
async def single(admin: Admin, phone: ViewerClient) -> dict[str, str]:
    """A ticket for one device, on which the phone watches."""
    ticket = await admin.ticket()
    await phone.validate(ticket["code"])
    return ticket


async def ask(viewer: ViewerClient, token: str | None = None, method: str = "POST") -> httpx2.Response:
    headers = {"Authorization": f"Bearer {token or viewer.token}"}
    return await viewer.http.request(method, "/api/playback/tv", headers=headers)


async def link(viewer: ViewerClient) -> tuple[Claims, bool]:
    answer = await ask(viewer)
    assert answer.status_code == 200, answer.text
    return claims_of(token_in(answer)), answer.json()["ownSession"]


def token_in(answer: httpx2.Response) -> str:
    return urlsplit(str(answer.json()["url"])).path.split("/")[2]


async def cut_sessions(plane: ControlPlane) -> set[str]:
    return {entry["id"] for entry in (await plane.feed())["changes"] if entry["kind"] == "session"}


async def test_the_link_is_complete_lasts_to_the_tickets_end_and_must_not_be_cached(
    pair: dict[str, str], phone: ViewerClient
) -> None:
    answer = await ask(phone)
    body, claims = answer.json(), claims_of(token_in(answer))
    assert body["url"] == f"http://tickets.example/t/{token_in(answer)}/streams/{pair['eventId']}/stream.m3u8"
    assert claims.exp == int(datetime.fromisoformat(body["expiresAt"]).timestamp()) + 60
    assert answer.headers["cache-control"] == "no-store"
    assert "set-cookie" not in answer.headers


@pytest.mark.usefixtures("pair")
async def test_the_qr_code_is_an_svg_without_external_references(phone: ViewerClient) -> None:
    picture = ET.fromstring((await ask(phone)).json()["qr"])  # noqa: S314 - our own response
    assert picture.tag == "{http://www.w3.org/2000/svg}svg"
    assert not {name for node in picture.iter() for name in node.attrib} & {"style", "href", "onload"}


async def test_the_link_leads_to_the_stream_server_where_that_is_another(database_url: str) -> None:
    settings = make_settings(database_url, hls_server_base_url="https://media.example")
    async with running(settings) as plane, plane.browser("198.51.100.1") as office, plane.browser() as http:
        organiser, viewer = Admin(office), ViewerClient(http)
        await organiser.sign_in()
        await viewer.validate((await organiser.ticket())["code"])
        assert (await ask(viewer)).json()["url"].startswith("https://media.example/t/eyJ")


@pytest.mark.parametrize(
    ("headers", "origin"),
    [
        ({"X-Forwarded-Host": "other.example:81"}, "http://other.example:81"),  # nginx is certain
        ({}, "https://tickets.example.org"),  # a proxy in between sent no host
        ({"Origin": "http://tickets.example"}, "http://tickets.example"),  # from the browser itself
        ({"Origin": "null", "Sec-Fetch-Site": "same-origin"}, "https://tickets.example.org"),
        ({"X-Forwarded-Host": "a@b"}, "https://tickets.example.org"),
    ],
)
async def test_the_link_uses_the_viewers_host_name_or_the_settings(
    database_url: str, headers: dict[str, str], origin: str
) -> None:
    settings = make_settings(database_url, platform_app_url="https://tickets.example.org")
    async with running(settings) as plane, plane.browser("198.51.100.1") as office, plane.browser() as http:
        organiser, viewer = Admin(office), ViewerClient(http)
        office.base_url = httpx2.URL("https://tickets.example.org")
        await organiser.sign_in()
        await viewer.validate((await organiser.ticket())["code"])
        http.headers.update(headers)
        assert (await ask(viewer)).json()["url"].partition("/t/")[0] == origin


@pytest.mark.parametrize("base", ["https://tickets.example.org", "http://tickets.example", ""])
async def test_streams_on_the_portals_own_origin_have_an_empty_base_url(database_url: str, base: str) -> None:
    settings = make_settings(database_url, platform_app_url="https://tickets.example.org", hls_server_base_url=base)
    async with running(settings) as plane, plane.browser("198.51.100.1") as office, plane.browser() as http:
        organiser, viewer = Admin(office), ViewerClient(http)
        office.base_url = httpx2.URL("https://tickets.example.org")
        await organiser.sign_in()
        http.headers["X-Forwarded-Host"] = "tickets.example"
        answer = await viewer.validate((await organiser.ticket())["code"])
    assert answer.json()["playbackBaseUrl"] == ""


async def test_the_tv_has_a_session_of_its_own_and_counts_as_a_device(
    pair: dict[str, str], phone: ViewerClient, laptop: ViewerClient
) -> None:
    claims, is_own = await link(phone)
    assert not is_own
    assert claims.sid != claims_of(phone.token).sid
    assert (await laptop.validate(pair["code"])).status_code == 409


@pytest.mark.usefixtures("pair")
async def test_asking_again_gives_the_same_session_also_after_a_reload(phone: ViewerClient) -> None:
    first, _ = await link(phone)
    assert (await link(phone))[0].sid == first.sid
    await phone.resume()
    assert (await link(phone))[0].sid == first.sid
    await phone.release()
    await phone.resume()
    assert (await link(phone))[0].sid == first.sid


async def test_entering_the_code_again_returns_the_same_tv(pair: dict[str, str], phone: ViewerClient) -> None:
    first, _ = await link(phone)
    await phone.release()
    await phone.validate(pair["code"])
    assert (await link(phone))[0].sid == first.sid


@pytest.mark.usefixtures("pair")
async def test_the_page_keeps_refreshing_and_beating_and_its_release_does_not_affect_the_tv(
    plane: ControlPlane, phone: ViewerClient
) -> None:
    claims, _ = await link(phone)
    assert (await phone.refresh()).status_code == 200
    assert (await phone.heartbeat()).status_code == 200
    await phone.release()
    assert claims.sid not in await cut_sessions(plane)


async def test_without_a_free_seat_the_tv_borrows_the_pages_session(
    plane: ControlPlane, single: dict[str, str], phone: ViewerClient, laptop: ViewerClient
) -> None:
    claims, is_own = await link(phone)
    assert is_own
    assert claims.sid == claims_of(phone.token).sid
    refreshed = await phone.refresh()
    assert refreshed.status_code == 200
    assert claims_of(refreshed.json()["playbackToken"]).exp < claims.exp
    assert (await phone.heartbeat()).status_code == 200
    assert (await laptop.validate(single["code"])).status_code == 409
    await phone.release()
    [entry] = [entry for entry in (await plane.feed())["changes"] if entry["id"] == claims.sid]
    assert datetime.fromisoformat(entry["expiresAt"]).timestamp() >= claims.exp


@pytest.mark.usefixtures("single")
async def test_watching_here_again_ends_playback_of_the_borrowed_session(
    plane: ControlPlane, phone: ViewerClient
) -> None:
    claims, _ = await link(phone)
    assert (await phone.resume()).status_code == 200
    assert claims.sid in await cut_sessions(plane)


async def test_stopping_releases_the_seat_and_refuses_the_link(
    plane: ControlPlane, pair: dict[str, str], phone: ViewerClient, laptop: ViewerClient
) -> None:
    claims, _ = await link(phone)
    assert (await ask(phone, method="DELETE")).json() == {"stopped": True}
    assert claims.sid in await cut_sessions(plane)
    assert (await laptop.validate(pair["code"])).status_code == 200
    assert (await ask(phone, method="DELETE")).json() == {"stopped": False}
    assert (await phone.heartbeat()).status_code == 200


@pytest.mark.usefixtures("single")
async def test_a_borrowed_session_is_not_ended_by_stopping(plane: ControlPlane, phone: ViewerClient) -> None:
    claims, _ = await link(phone)
    assert (await ask(phone, method="DELETE")).json() == {"stopped": False}
    assert claims.sid not in await cut_sessions(plane)


async def test_revoking_the_ticket_refuses_the_tv_and_its_link(
    admin: Admin, plane: ControlPlane, pair: dict[str, str], phone: ViewerClient
) -> None:
    claims, _ = await link(phone)
    await admin.patch("tokens", pair["id"], "revoke")
    [entry] = [entry for entry in (await plane.feed())["changes"] if entry["kind"] == "code"]
    assert datetime.fromisoformat(entry["expiresAt"]).timestamp() >= claims.exp
    assert (await ask(phone)).status_code in {403, 404}


@pytest.mark.usefixtures("pair")
async def test_only_the_pages_own_valid_token_can_request_a_tv(phone: ViewerClient) -> None:
    answer = await ask(phone)
    assert (await ask(phone, token_in(answer))).status_code == 401, "a TV's link makes no further links"
    assert (await ask(phone, token_in(answer), "DELETE")).status_code == 401
    assert (await ask(phone, older(phone.token, 3610))).status_code == 401
    assert (await ask(phone, "nonsense")).status_code == 401
    await phone.release()
    assert (await ask(phone)).status_code == 404


async def test_airplay_does_not_count_as_a_second_device(
    pair: dict[str, str], phone: ViewerClient, laptop: ViewerClient
) -> None:
    headers = {"Authorization": f"Bearer {phone.token}"}
    answer = await phone.http.post("/api/playback/tv", headers=headers, json={"ownSession": True})
    assert claims_of(token_in(answer)).sid == claims_of(phone.token).sid
    assert (await laptop.validate(pair["code"])).status_code == 200
    wrong = await phone.http.post("/api/playback/tv", headers=headers, json={"ownSession": "yes"})
    assert wrong.status_code == 400


@pytest.mark.usefixtures("single")
async def test_the_number_of_links_is_limited(phone: ViewerClient) -> None:
    assert [(await ask(phone)).status_code for _ in range(13)] == [200] * 12 + [429]
