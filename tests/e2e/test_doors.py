"""Doors with a real gate and a real browser: nothing is served before, and playback starts automatically after."""

import json
import os
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from shutil import copytree

import pytest
from playwright.sync_api import Page, expect

from tests.support.browsers.screen import BrowserDevice
from tests.support.clients.people import Organiser, Viewer
from tests.support.media.video import SEGMENT_SECONDS
from tests.support.services.stack import ADMIN_PASSWORD, StackUnderTest
from tests.support.waiting import eventually

pytestmark = pytest.mark.own_stack

OpenDevice = Callable[..., BrowserDevice]
ASKED_AGAIN_WITHIN = 90  # a waiting page polls every 30 seconds


def starting_in(seconds: float) -> dict[str, str]:
    starts = datetime.now(UTC) + timedelta(seconds=seconds)
    return {"startsAt": starts.isoformat(), "endsAt": (starts + timedelta(hours=3)).isoformat()}


@pytest.fixture
def viewer(gate: StackUnderTest) -> Iterator[Viewer]:
    person = Viewer(gate.url)
    yield person
    person.close()


def shows(gate: StackUnderTest, event_id: str, recording: str) -> str:
    copytree(gate.streams / recording, gate.streams / event_id, copy_function=os.link)  # nginx follows no symlink
    return event_id


def test_an_edge_opens_at_the_start_even_without_the_control_plane(
    gate: StackUnderTest, organiser: Organiser, viewer: Viewer, recording: str
) -> None:
    draft = starting_in(25)
    starts_at = datetime.fromisoformat(draft["startsAt"]).timestamp()
    event_id = shows(gate, organiser.create_event(**draft), recording)
    code = organiser.tickets(event_id)[0].code
    granted = viewer.redeem(code).json()
    assert (granted["isHeld"], granted["event"]["isLive"]) == (True, False)
    eventually(lambda: viewer.watch().status_code == 403, within=10, what="the gate knows of it")
    gate.control_plane.kill()
    try:
        for name in ("stream.m3u8", "0/index.m3u8", "0/0.ts", "no-such.ts"):
            answer = viewer.watch(name)
            if time.time() < starts_at:
                assert (answer.status_code, answer.text) == (403, '{"error":"Access denied"}')
        while (status := viewer.watch().status_code, time.time())[1] < starts_at:
            assert status == 403
        eventually(lambda: viewer.watch().status_code == 200, within=10, what="the edge opens by itself")
        assert time.time() >= starts_at
        assert viewer.watch("0/0.ts").status_code == 200
    finally:
        gate.control_plane.start()
        gate.control_plane.wait_ready(60)
    assert "held" in {line.get("reason") for line in access_log(gate) if event_id in line["path"]}


def access_log(gate: StackUnderTest) -> list[dict[str, str]]:
    lines = (gate.home / "log" / "access.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def test_the_page_waits_and_continues_automatically_as_the_doors_open_and_close(
    open_device: OpenDevice, gate: StackUnderTest, organiser: Organiser, recording: str
) -> None:
    event_id = shows(gate, organiser.create_event(title="Behind doors", **starting_in(3600)), recording)
    device = open_device()
    device.enter(organiser.tickets(event_id)[0].code)
    device.page.wait_for_selector("#waiting", state="visible")
    organiser.open_doors(event_id)
    device.plays(within=ASKED_AGAIN_WITHIN)
    organiser.close_doors(event_id)
    device.page.wait_for_selector("#waiting", state="visible", timeout=(SEGMENT_SECONDS + 20) * 1000)
    note = "The organizer has closed the doors for now."
    eventually(lambda: note in device.page.inner_text("#waiting-note"), within=ASKED_AGAIN_WITHIN)
    assert device.accessibility_faults() == []
    organiser.open_doors(event_id)
    device.plays(within=ASKED_AGAIN_WITHIN)


def test_an_organiser_previews_a_closed_event_and_opens_the_doors(
    open_device: OpenDevice, gate: StackUnderTest, organiser: Organiser, viewer: Viewer, recording: str
) -> None:
    event_id = shows(gate, organiser.create_event(title="Sound check", **starting_in(3600)), recording)
    viewer.redeem(organiser.tickets(event_id)[0].code)
    eventually(lambda: viewer.watch().status_code == 403, within=10)
    device = open_device()
    page = device.page
    sign_in(page, gate)
    page.goto(f"{gate.url}/admin/events/{event_id}")
    page.get_by_role("link", name="Preview").click()
    expect(page.locator("main")).to_contain_text("Only you see this")
    eventually(lambda: page.evaluate("document.getElementById('preview').currentTime > 1"), within=30)
    for width in (390, 1440):
        page.set_viewport_size({"width": width, "height": 900})
        assert device.accessibility_faults() == []
        eventually(lambda: page.evaluate("document.documentElement.scrollWidth <= innerWidth"), what="it fits")
        page.screenshot(path=gate.home / f"preview-{width}.png")
    assert viewer.watch().status_code == 403
    page.goto(f"{gate.url}/admin/events/{event_id}")
    page.screenshot(path=gate.home / "event.png", full_page=True)
    page.get_by_role("link", name="Open the doors").click()
    page.get_by_role("button", name="Open the doors").click()
    expect(page.locator("main")).to_contain_text("The doors are open")
    eventually(lambda: viewer.watch().status_code == 200, within=10, what="the waiting token plays at once")
    page.goto(f"{gate.url}/admin")
    assert device.accessibility_faults() == []


def sign_in(page: Page, gate: StackUnderTest) -> None:
    page.goto(f"{gate.url}/admin/login")
    page.fill("#username", "admin")
    page.fill("#password", ADMIN_PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"{gate.url}/admin")
