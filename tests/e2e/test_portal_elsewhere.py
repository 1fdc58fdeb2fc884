"""A portal whose streams are on another origin, in a browser: hls.js uses the header, native playback the path token,
since cookies are not sent there. The page can read the gate's refusals, so it shows at once why playback stops.
"""

from collections.abc import Callable, Iterator
from shutil import copytree

import httpx2
import pytest
from playwright.sync_api import Route, expect

from tests.support.browsers.elsewhere import is_playing, media_of, native_url, portal_elsewhere, streams_origin
from tests.support.browsers.screen import BrowserDevice
from tests.support.clients.people import Organiser
from tests.support.services.stack import StackUnderTest
from tests.support.variants import short_or_long
from tests.support.waiting import eventually, stays

OpenDevice = Callable[..., BrowserDevice]


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StackUnderTest]:
    with portal_elsewhere(tmp_path_factory.mktemp("elsewhere")) as running:
        yield running


@pytest.fixture
def open_native(open_device: OpenDevice) -> Callable[[], BrowserDevice]:
    def open_one() -> BrowserDevice:
        device = open_device()
        device.lose_media_source()
        return device

    return open_one


@pytest.mark.parametrize("kind", short_or_long(["live_event"], ["recording", "live_event"]))
def test_hls_js_plays_with_the_header_until_the_ticket_is_revoked(
    open_device: OpenDevice, organiser: Organiser, gate: StackUnderTest, kind: str, request: pytest.FixtureRequest
) -> None:
    [ticket] = organiser.tickets(request.getfixturevalue(kind))
    device = open_device()
    device.page.route("**/api/playback/heartbeat", lambda route: route.abort())  # the gate alone tells
    asked = media_of(device)
    device.enter(ticket.code)
    device.plays()
    assert {request.url.split("/streams/")[0] for request in asked} == {streams_origin(gate)}
    assert all(request.headers["authorization"].startswith("Bearer ") for request in asked)
    assert device.failed_media == []

    organiser.revoke(ticket)
    assert device.ended()[0] == "revoked"
    assert {refusal.split()[0] for refusal in device.failed_media} == {"403"}


def test_a_browser_without_hls_js_plays_with_the_path_token_until_the_ticket_is_revoked(
    open_native: Callable[[], BrowserDevice], organiser: Organiser, gate: StackUnderTest, recording: str
) -> None:
    [ticket] = organiser.tickets(recording)
    device = open_native()
    device.page.route("**/api/playback/heartbeat", lambda route: route.abort())  # the gate alone tells
    asked = media_of(device)
    device.enter(ticket.code)
    device.plays()
    url = native_url(device)
    assert url.startswith(f"{streams_origin(gate)}/t/")
    assert httpx2.get(url, timeout=30).status_code == 200
    assert {request.url.split("/streams/")[0] for request in asked} == {url.split("/streams/")[0]}
    assert device.failed_media == []

    organiser.revoke(ticket)
    assert device.ended()[0] == "revoked"
    assert httpx2.get(url, timeout=30).status_code == 403


def test_a_refused_url_is_replaced_and_the_recording_continues_where_it_was(
    open_native: Callable[[], BrowserDevice], organiser: Organiser, gate: StackUnderTest, recording: str
) -> None:
    event_id = organiser.create_event(title="Shorter than said")
    copytree(gate.streams / recording, gate.streams / event_id, dirs_exist_ok=True)
    device = open_native()
    device.enter(organiser.tickets(event_id)[0].code)
    device.plays()
    eventually(lambda: position(device) > 8, within=60, what="it is well into the recording")
    url = native_url(device)
    organiser.end_earlier(event_id, hours=1)
    eventually(lambda: native_url(device) != url, within=20, what="another URL")
    assert httpx2.get(url, timeout=30).status_code == 403
    device.plays()
    assert position(device) > 4
    expect(device.page.locator(".trouble:visible")).to_have_count(0)


def test_a_recording_that_was_paused_and_is_loaded_again_continues_where_it_was(
    open_native: Callable[[], BrowserDevice], organiser: Organiser, recording: str
) -> None:
    """It is paused for longer than the page waits between two saves, so the browser's 0 would be saved."""
    device = open_native()
    device.enter(organiser.tickets(recording)[0].code)
    device.plays()
    eventually(lambda: position(device) > 8, within=60, what="it is well into the recording")
    device.page.evaluate("() => document.querySelector('hls-video').pause()")
    stays(lambda: not is_playing(device), during=4)
    device.page.evaluate("() => document.querySelector('hls-video').nativeEl.load()")
    eventually(lambda: position(device) > 4, what="the place where it was")


def test_watching_here_again_after_the_tv_plays_with_a_url_of_the_new_session(
    open_native: Callable[[], BrowserDevice], organiser: Organiser, recording: str
) -> None:
    device = open_native()
    device.enter(organiser.tickets(recording)[0].code)
    device.plays()
    url, page = native_url(device), device.page
    lend_to_a_tv(device)
    page.get_by_role("button", name="Watch here again").click()
    device.plays()
    assert native_url(device) != url
    eventually(lambda: httpx2.get(url, timeout=30).status_code == 403, what="the old URL is refused")


def test_watching_here_again_plays_although_the_old_url_fails_meanwhile(
    open_native: Callable[[], BrowserDevice], organiser: Organiser, recording: str
) -> None:
    """The gate refuses the old session while the new one's link is on its way: the stream is loaded twice at once."""
    device = open_native()
    device.enter(organiser.tickets(recording)[0].code)
    device.plays()
    page = device.page
    lend_to_a_tv(device)
    links: list[Route] = []

    def hold(link: Route) -> None:
        if len(links) < 2:
            links.append(link)
        else:
            link.continue_()

    page.route("**/api/playback/tv", hold)
    with page.expect_request("**/api/playback/tv"):
        page.get_by_role("button", name="Watch here again").click()
    with page.expect_request("**/api/playback/tv"):
        page.evaluate("() => document.querySelector('hls-video').dispatchEvent(new Event('error'))")
    for link in links:
        link.continue_()
    device.plays()


def lend_to_a_tv(device: BrowserDevice) -> None:
    """Get a link for a TV that pauses the picture here, and close the panel."""
    page = device.page
    page.mouse.move(200, 200)
    page.get_by_role("button", name="Watch on TV").click()
    page.get_by_text("VLC or another player: use a link").click()
    page.get_by_role("button", name="Get a link and pause here").click()
    eventually(lambda: not is_playing(device), what="the picture here pauses")
    page.keyboard.press("Escape")


def position(device: BrowserDevice) -> float:
    seen = device.picture()
    assert seen
    return seen.time
