"""The pictures of the README show what the product really looks like: `make pictures` takes them again."""

import os
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import pytest
from playwright.sync_api import expect

from control_plane.ops import demo_streams
from tests.support.browsers.screen import BrowserDevice
from tests.support.clients.people import Organiser
from tests.support.media.video import make_recording
from tests.support.services.stack import ADMIN_PASSWORD, StackUnderTest
from tests.support.waiting import eventually

pytestmark = pytest.mark.own_stack

OpenDevice = Callable[..., BrowserDevice]
SIZE = {"width": 1280, "height": 800}
ARE_KEPT = bool(os.environ.get("PICTURES"))


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Return where the pictures go: into the documents, if they are to be kept."""
    return Path(os.environ["PICTURES"]).absolute() if ARE_KEPT else tmp_path


@pytest.fixture(scope="module")
def concert(gate: StackUnderTest, organiser: Organiser) -> str:
    """The recording is there before the event: otherwise the console would tell of a stream in trouble."""
    event_id = str(uuid4())
    if ARE_KEPT:
        demo_streams.make_recording(gate.streams / event_id, lambda _: None)
    else:
        make_recording(gate.streams / event_id, seconds=20)
    description = "The town band, live from the market square"
    return organiser.create_event(id=event_id, title="Midsummer concert", description=description)


def test_the_player(open_device: OpenDevice, organiser: Organiser, concert: str, pictures: Path) -> None:
    device = open_device(**SIZE)
    device.enter(organiser.tickets(concert)[0].code)
    device.plays()
    if ARE_KEPT:
        eventually(lambda: (seen := device.picture()) and seen.time > 20, within=60, what="a picture worth showing")
    device.page.mouse.move(640, 700)
    device.page.mouse.move(640, 690)
    expect(device.page.locator("media-controller")).not_to_have_attribute("userinactive", "")
    expect(device.page.locator("media-mute-button")).to_be_visible()
    device.page.screenshot(path=pictures / "player.png", animations="disabled")  # the controls fade in
    assert (pictures / "player.png").stat().st_size > 10_000


def test_the_console(open_device: OpenDevice, organiser: Organiser, concert: str, pictures: Path) -> None:
    tickets = organiser.tickets(concert, 5)
    organiser.revoke(tickets[1])
    device = open_device(**SIZE)
    page = device.page
    page.goto(f"{device.url}/admin/login")
    page.fill("#username", "admin")
    page.fill("#password", ADMIN_PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.goto(f"{device.url}/admin/events/{concert}")
    expect(page.get_by_text("Midsummer concert").first).to_be_visible()
    page.screenshot(path=pictures / "console.png")
    assert (pictures / "console.png").stat().st_size > 10_000
