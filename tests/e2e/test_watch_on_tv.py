"""Watch on TV in the player: a link that plays on its own, with its own seat or the page's."""

import re
from collections.abc import Callable

import httpx2
import pytest
from playwright.sync_api import Route, expect

from tests.support.browsers.screen import BrowserDevice
from tests.support.clients.people import Organiser
from tests.support.media.video import make_recording
from tests.support.services.stack import StackUnderTest
from tests.support.variants import short_or_long
from tests.support.waiting import PUSHED_WITHIN, eventually, stays

OpenDevice = Callable[..., BrowserDevice]
SIZES = [(390, 844), (1440, 900)]


@pytest.fixture(scope="module")
def pair(gate: StackUnderTest, organiser: Organiser) -> str:
    """The id of an event whose tickets are for two devices."""
    event_id = organiser.create_event(title="The recording", maxDevices=2)
    make_recording(gate.streams / event_id)
    return event_id


def open_tv(device: BrowserDevice, code: str) -> str:
    """Start playback, open the panel, and return its link."""
    device.enter(code)
    device.plays()
    device.page.mouse.move(200, 200)
    device.page.get_by_role("button", name="Watch on TV").click()
    device.page.get_by_role("dialog", name="Watch on TV").wait_for()
    device.plays()
    device.page.get_by_text("VLC or another player").click()
    device.page.get_by_role("button", name="Get a link").click()
    return eventually(lambda: device.page.input_value("#tv-url"), what="a link")


def status(url: str) -> int:
    return httpx2.get(url, timeout=30).status_code


def is_paused(device: BrowserDevice) -> bool:
    seen = device.picture()
    return seen is not None and seen.is_paused


@pytest.mark.parametrize("size", short_or_long(SIZES[:1], SIZES))
def test_with_a_second_seat_page_and_tv_both_play_until_the_tv_is_stopped(
    open_device: OpenDevice, organiser: Organiser, pair: str, size: tuple[int, int]
) -> None:
    device = open_device(width=size[0], height=size[1], permissions=["clipboard-read", "clipboard-write"])
    url = open_tv(device, organiser.tickets(pair)[0].code)
    page = device.page
    assert status(url) == 200
    assert device.accessibility_faults() == []
    drawn = page.get_by_role("img", name="QR code").locator("svg path").last.bounding_box()
    assert drawn
    assert min(drawn["width"], drawn["height"]) > 180, "a camera can read it"
    page.get_by_role("button", name="Copy link").click()
    eventually(lambda: page.evaluate("() => navigator.clipboard.readText()") == url, what="the link is copied")
    device.plays()
    targets = page.locator(".tv button:visible, .tv input:visible").all()
    assert all((box := target.bounding_box()) and box["height"] >= 48 for target in targets)
    page.get_by_role("button", name="Stop on TV").click()
    eventually(lambda: status(url) == 403, within=PUSHED_WITHIN, what="the link is cut")
    expect(page.locator("dialog[open]")).to_have_count(0)
    device.plays()


@pytest.mark.parametrize("size", short_or_long(SIZES[1:], SIZES))
def test_without_a_second_seat_the_page_pauses_says_so_and_resumes_on_request(
    open_device: OpenDevice, organiser: Organiser, recording: str, size: tuple[int, int]
) -> None:
    device = open_device(width=size[0], height=size[1])
    url = open_tv(device, organiser.tickets(recording)[0].code)
    page = device.page
    assert status(url) == 200
    eventually(lambda: is_paused(device), what="the page's own picture pauses")
    page.keyboard.press("Escape")
    page.get_by_role("heading", name="Playing on TV").wait_for()
    assert device.accessibility_faults() == []
    page.keyboard.press("Space")
    page.keyboard.press("k")
    stays(lambda: is_paused(device), during=1, what="one screen a seat")
    page.get_by_role("button", name="Show the link").click()
    expect(page.locator("#tv-url")).to_have_value(url)
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Watch here again").click()
    eventually(lambda: status(url) == 403, within=PUSHED_WITHIN, what="the TV's link is cut")
    device.plays()


def test_the_link_is_in_no_log(
    open_device: OpenDevice, organiser: Organiser, gate: StackUnderTest, recording: str
) -> None:
    url = open_tv(open_device(), organiser.tickets(recording)[0].code)
    assert status(url) == 200
    assert status(f"{gate.url}/mark") == 404
    logged = gate.home / "log" / "access.jsonl"
    eventually(lambda: '"/mark"' in logged.read_text(), what="nginx has written its log")
    token = url.split("/t/")[1].split("/")[0]
    leaks = [file.name for file in logged.parent.iterdir() if token in file.read_text(errors="replace")]
    assert leaks == []


def test_an_airplay_device_gets_a_url_that_works_on_its_own(
    open_device: OpenDevice, organiser: Organiser, recording: str
) -> None:
    device = open_device()
    device.enter(organiser.tickets(recording)[0].code)
    device.plays()
    device.page.evaluate("""() => {
        const event = new Event("webkitplaybacktargetavailabilitychanged");
        document.querySelector("hls-video").nativeEl.dispatchEvent(Object.assign(event, { availability: "available" }));
    }""")
    ask = "() => document.querySelector('hls-video').nativeEl.querySelector('source')?.src"
    url = eventually(lambda: str(seen) if "/t/" in str(seen := device.page.evaluate(ask)) else "", what="its URL")
    assert status(url) == 200
    device.plays()


def test_the_panel_closes_with_the_session(open_device: OpenDevice, organiser: Organiser, pair: str) -> None:
    device = open_device()
    [ticket] = organiser.tickets(pair)
    url = open_tv(device, ticket.code)
    organiser.revoke(ticket)
    assert device.ended()[0] == "revoked"
    eventually(lambda: status(url) == 403, within=PUSHED_WITHIN, what="the link is refused")
    expect(device.page.locator("dialog[open]")).to_have_count(0)
    device.page.get_by_role("button", name="code").click()
    device.page.wait_for_selector("#code", state="visible")


def show_code(tv: BrowserDevice) -> str:
    """Open the TV's page; return the code on it."""
    tv.page.goto(f"{tv.url}/tv")
    return eventually(lambda: tv.page.inner_text("#tv-page-code"), what="a code on the TV")


def open_panel(device: BrowserDevice) -> None:
    device.page.mouse.move(200, 200)
    device.page.get_by_role("button", name="Watch on TV").click()
    device.page.get_by_role("dialog", name="Watch on TV").wait_for()


def approve(device: BrowserDevice, tv_code: str, button: str) -> None:
    open_panel(device)
    device.page.fill("#tv-code", tv_code.lower())
    device.page.get_by_role("button", name=button, exact=True).click()


def test_the_panel_changes_nothing_until_play_on_the_tv_moves_playback_there_and_back(
    open_device: OpenDevice, organiser: Organiser, recording: str
) -> None:
    phone, tv = open_device(width=390, height=844), open_device(width=1280, height=720)
    code = show_code(tv)
    assert tv.accessibility_faults() == []
    phone.enter(organiser.tickets(recording)[0].code)
    phone.plays()
    open_panel(phone)
    phone.plays()
    expect(phone.page.locator(".tv-address")).to_contain_text(f"{phone.url.removeprefix('http://')}/tv")
    assert phone.accessibility_faults() == []
    phone.page.fill("#tv-code", "BBBB-BBBB")
    play = phone.page.get_by_role("button", name="Play on the TV and pause here", exact=True)
    play.click()
    eventually(lambda: "wrong or has expired" in phone.page.inner_text(".tv-words"), what="a wrong code is said")
    phone.plays()
    phone.page.fill("#tv-code", code.lower())
    play.click()
    reason, words = phone.ended()
    assert (reason, "This is now playing on your TV." in words) == ("on-tv", True)
    tv.plays(within=30)
    tv.page.reload()
    tv.plays()
    phone.page.get_by_role("button", name="Watch here", exact=True).click()
    phone.plays()
    assert tv.ended(within=30)[0] == "taken-over"
    tv.page.locator("#ended-again").click()
    eventually(lambda: tv.page.inner_text("#tv-page-code") not in {"", code}, what="a new code")


def test_with_a_second_seat_the_page_keeps_playing_beside_the_tv(
    open_device: OpenDevice, organiser: Organiser, pair: str
) -> None:
    page, tv = open_device(), open_device(width=1920, height=1080)
    code = show_code(tv)
    page.enter(organiser.tickets(pair)[0].code)
    page.plays()
    approve(page, code, "Play on the TV")
    tv.plays(within=30)
    page.plays()
    page.page.get_by_role("button", name="Stop on TV").click()
    assert tv.ended(within=45)[0] == "stopped"
    page.plays()


def test_the_qr_code_opens_the_portal_on_a_phone_where_the_tickets_code_is_enough(
    open_device: OpenDevice, organiser: Organiser, recording: str
) -> None:
    phone, tv = open_device(width=390, height=844), open_device(width=1280, height=720)
    tv_code, code = show_code(tv), organiser.tickets(recording)[0].code
    phone.page.goto(f"{phone.url}/#tv={tv_code.replace('-', '')}")
    eventually(lambda: tv_code in phone.page.inner_text("#entry-lead"), what="which TV it is")
    expect(phone.page).not_to_have_url(re.compile("#"))
    phone.page.fill("#code", code)
    phone.page.get_by_role("button", name="Play on the TV").click()
    reason, _ = phone.ended()
    assert reason == "on-tv"
    tv.plays(within=30)


def test_a_tv_without_javascript_modules_plays(open_device: OpenDevice, organiser: Organiser, recording: str) -> None:
    """Like browsers before 2018: the plain script, native HLS and the cookie."""
    tv = open_device(width=1280, height=720)

    def without_modules(route: Route) -> None:
        html = route.fetch().text()
        route.fulfill(
            body=html.replace('type="module"', 'type="text/x-unknown"').replace(" nomodule", ""),
            content_type="text/html; charset=utf-8",
        )

    tv.context.route("**/tv", without_modules)
    code = show_code(tv)
    viewer = httpx2.Client(base_url=tv.url, timeout=30)
    ticket = organiser.tickets(recording)[0].code
    viewer.post("/api/tv/approve", json={"userCode": code, "code": ticket}).raise_for_status()
    moving = "() => (document.querySelector('body > video')?.currentTime ?? 0) > 1"
    eventually(lambda: tv.page.evaluate(moving), within=30, what="the TV plays")
    viewer.close()
