"""From a code to playback in a real browser, and every way in which it ends."""

import re
import shutil
from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.support.browsers.screen import BrowserDevice
from tests.support.clients.people import Organiser, Viewer
from tests.support.services.stack import StackUnderTest
from tests.support.variants import short_or_long
from tests.support.waiting import PUSHED_WITHIN, eventually

OpenDevice = Callable[..., BrowserDevice]


@pytest.fixture(params=short_or_long(["live"], ["recording", "live"]))
def event_id(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue("recording" if request.param == "recording" else "live_event"))


def test_a_code_starts_the_stream_and_shows_what_it_is(
    open_device: OpenDevice, organiser: Organiser, recording: str, live_event: str
) -> None:
    for event_id, kind in ((recording, "recording"), (live_event, "live")):
        device = open_device()
        device.enter(organiser.tickets(event_id)[0].code)
        device.plays()
        badge = device.page.wait_for_selector("#badge", state="attached")
        assert badge
        eventually(lambda badge=badge: badge.get_attribute("data-kind"), what="the badge")  # type: ignore[misc]
        assert badge.get_attribute("data-kind") == kind
        assert device.failed_media == []


def test_a_tickets_link_fills_the_code_in_and_disappears_from_the_address_bar(
    open_device: OpenDevice, organiser: Organiser, recording: str
) -> None:
    device, code = open_device(), organiser.tickets(recording)[0].code
    device.page.goto(f"{device.url}/#{code}")
    eventually(lambda: device.page.input_value("#code") == code)
    expect(device.page).not_to_have_url(re.compile("#"))
    device.page.press("#code", "Enter")
    device.plays()


def test_revoking_stops_playback_with_its_reason_and_lifting_makes_the_code_valid_again(
    open_device: OpenDevice, organiser: Organiser, gate: StackUnderTest, event_id: str
) -> None:
    [ticket] = organiser.tickets(event_id)
    device, onlooker = open_device(), Viewer(gate.url)
    device.page.route("**/api/playback/heartbeat", lambda route: route.abort())
    device.enter(ticket.code)
    device.plays()
    onlooker.stream = f"/streams/{event_id}/stream.m3u8"

    organiser.revoke(ticket)
    eventually(
        lambda: onlooker.watch(token=device.token).status_code == 403, within=PUSHED_WITHIN, what="the gate refuses"
    )
    reason, words = device.ended()  # from the gate, since heartbeats are blocked
    assert reason == "revoked"
    assert "This code has been revoked. Please contact the event organizer." in words
    seen = device.picture()
    assert seen is None or (seen.is_paused and seen.buffered == 0)

    organiser.unrevoke(ticket)
    device.page.unroute("**/api/playback/heartbeat")
    device.page.get_by_role("button", name="code").or_(device.page.get_by_role("link", name="code")).first.click()
    device.type_code(ticket.code)
    device.plays()
    onlooker.close()


def test_deactivating_the_event_stops_playback_with_its_reason(
    open_device: OpenDevice, organiser: Organiser, recording: str
) -> None:
    device = open_device()
    device.enter(organiser.tickets(recording)[0].code)
    device.plays()
    organiser.deactivate(recording)
    try:
        reason, words = device.ended()
    finally:
        organiser.reactivate(recording)
    assert reason == "event"
    assert "This event is no longer available." in words


def test_a_second_device_is_refused_until_the_first_is_released(
    open_device: OpenDevice, organiser: Organiser, recording: str
) -> None:
    [ticket] = organiser.tickets(recording)
    first, second = open_device(), open_device()
    first.enter(ticket.code)
    first.plays()
    second.enter(ticket.code)
    assert "This access code is currently in use on another device." in second.message()
    assert "try again" in second.message(), "and what to do next"
    first.page.close()

    def gets_in() -> bool:
        with second.page.expect_response("**/api/tokens/validate") as answer:
            second.page.click("#watch[aria-disabled=false]")
        return answer.value.status == 200

    eventually(gets_in, every=0.2)
    second.plays()


def test_a_reload_resumes_without_the_code(open_device: OpenDevice, organiser: Organiser, event_id: str) -> None:
    device = open_device()
    device.enter(organiser.tickets(event_id)[0].code)
    device.plays()
    for _ in range(2):
        device.page.reload()
        device.plays()


def test_a_session_taken_over_says_so_and_never_resumes_automatically(
    open_device: OpenDevice, organiser: Organiser, gate: StackUnderTest, recording: str
) -> None:
    event_id = organiser.create_event(title="Wanderers", sessionPolicy="takeover")
    shutil.copytree(gate.streams / recording, gate.streams / event_id)
    [ticket] = organiser.tickets(event_id)
    first, second = open_device(), open_device()
    first.enter(ticket.code)
    first.page.wait_for_selector("hls-video", state="attached")
    second.enter(ticket.code)
    offered = second.page.get_by_role("button", name="Watch here instead")
    offered.wait_for()
    assert "You can watch here instead" in second.message()
    is_primary = [
        "primary" in (second.page.locator(button).get_attribute("class") or "") for button in ("#take-over", "#watch")
    ]
    assert is_primary == [True, False], "the button that works is the primary one"
    assert second.accessibility_faults() == []
    offered.click()
    second.page.wait_for_selector("hls-video", state="attached")
    reason, words = first.ended(within=45)
    assert reason == "taken-over"
    assert "Your session has been started on another device." in words
