"""Parts of the player: menus, focus, sizes, forced colours, and the device check."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.support.browsers.screen import BrowserDevice
from tests.support.clients.people import Organiser
from tests.support.media.video import make_two_languages
from tests.support.services.stack import StackUnderTest
from tests.support.waiting import eventually, stays

OpenDevice = Callable[..., BrowserDevice]
HIGH = "all => all.filter(one => one.offsetHeight).map(one => one.offsetHeight)"


@pytest.fixture(scope="module")
def two_languages(gate: StackUnderTest, organiser: Organiser) -> str:
    event_id = organiser.create_event(title="In two languages")
    make_two_languages(gate.streams / event_id)
    return event_id


def test_in_landscape_on_a_phone_everything_is_reachable_and_two_audio_tracks_are_offered(
    open_device: OpenDevice, organiser: Organiser, two_languages: str
) -> None:
    device = open_device(width=844, height=390, has_touch=True, is_mobile=True)  # a phone in landscape
    page = device.page
    page.goto(device.url)
    button = page.locator("#watch").bounding_box()
    assert button
    assert button["y"] + button["height"] <= 390
    device.enter(organiser.tickets(two_languages)[0].code)
    device.plays()
    page.tap("hls-video")
    page.click("media-settings-menu-button")
    item = page.locator(".audio-item")
    item.wait_for(state="visible")
    item.click()
    rows = page.locator("media-audio-track-menu media-chrome-menu-item")
    eventually(lambda: rows.count() == 2, what="both tracks")
    eventually(lambda: min(rows.evaluate_all(HIGH)) >= 48, what="rows that a finger hits")
    back = page.locator("media-audio-track-menu button[part~=back]")
    eventually(lambda: min(back.evaluate_all(HIGH)) >= 48, what="a way back that a finger hits")
    bottom = "all => Math.max(...all.map(one => one.getBoundingClientRect().bottom))"
    eventually(lambda: rows.evaluate_all(bottom) <= 390, what="every row in sight")
    rows.nth(1).click()
    chosen = "() => [...document.querySelector('hls-video').audioTracks].findIndex(one => one.enabled)"
    eventually(lambda: page.evaluate(chosen) == 1, what="the second track")
    device.plays()


def test_a_single_audio_track_shows_no_menu(open_device: OpenDevice, organiser: Organiser, recording: str) -> None:
    device = open_device()
    device.enter(organiser.tickets(recording)[0].code)
    device.plays()
    device.page.mouse.move(200, 200)
    device.page.click("media-settings-menu-button")
    device.page.wait_for_selector("media-rendition-menu", state="attached")
    expect(device.page.locator(".audio-item")).to_be_hidden()


def test_focused_controls_stay_visible_until_they_lose_the_focus(
    open_device: OpenDevice, organiser: Organiser, recording: str
) -> None:
    device = open_device()
    page = device.page
    device.enter(organiser.tickets(recording)[0].code)
    device.plays()
    inactive = "() => document.querySelector('media-controller').hasAttribute('userinactive')"
    seen = "() => Number(getComputedStyle(document.querySelector('.controls')).opacity)"
    eventually(lambda: page.evaluate(inactive) and page.evaluate(seen) == 0, what="the controls hide")
    page.locator("media-mute-button").focus()
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Tab")
    eventually(lambda: page.evaluate(inactive), within=20, what="nobody does anything")
    stays(lambda: page.evaluate(seen) == 1, during=1.5, what="the focused control")
    page.keyboard.press("Escape")
    eventually(lambda: page.evaluate(inactive) and page.evaluate(seen) == 0, within=20, what="the controls hide")


def test_in_forced_colours_the_focus_has_an_outline_and_bars_have_a_background(
    open_device: OpenDevice, organiser: Organiser, recording: str
) -> None:
    device = open_device(forced_colors="active")
    page = device.page
    device.enter(organiser.tickets(recording)[0].code)
    device.plays()
    page.keyboard.press("Tab")
    page.locator("media-mute-button").focus()
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Tab")
    outline = "() => getComputedStyle(document.querySelector('media-mute-button')).outlineStyle"
    eventually(lambda: page.evaluate(outline) == "solid", what="an outline")
    ground = "() => getComputedStyle(document.querySelector('.controls')).backgroundImage"
    assert page.evaluate(ground) == "none"
    assert device.accessibility_faults() == []


def check(device: BrowserDevice) -> Any:
    page = device.page
    page.wait_for_selector("#waiting", state="visible")
    page.click("#check-device")
    report = page.locator("#device-report")
    expect(page.locator("#check-device")).to_have_attribute("aria-expanded", "true")
    eventually(lambda: report.get_attribute("aria-busy") == "false", within=60, what="the check is done")
    return report


def test_the_device_check_begins_with_its_result_and_measures_the_connection(
    open_device: OpenDevice, organiser: Organiser
) -> None:
    soon = datetime.now(UTC) + timedelta(hours=2)
    window = {"startsAt": soon.isoformat(), "endsAt": (soon + timedelta(hours=1)).isoformat()}
    event_id = organiser.create_event(title="Later", **window)
    device = open_device()
    device.enter(organiser.tickets(event_id)[0].code)
    report = check(device)
    lines = report.inner_text().splitlines()
    assert lines[0] == "All good: this device is ready."
    assert any("Your connection reaches about" in line and "Mb/s" in line for line in lines)
    expect(report.locator("#device-verdict[role=status]")).to_have_count(1)
    assert device.accessibility_faults() == []

    network = device.context.new_cdp_session(device.page)
    network.send("Network.enable")
    slow = {"offline": False, "latency": 20, "downloadThroughput": 60_000, "uploadThroughput": 60_000}
    network.send("Network.emulateNetworkConditions", slow)
    lines = check(device).inner_text().splitlines()
    assert lines[0] == "This device is ready, but its connection is slow."
    assert any("the stream needs at least 1 Mb/s" in line for line in lines)
