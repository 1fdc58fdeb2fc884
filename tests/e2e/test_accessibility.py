"""axe-core finds no violations in any state of a page, at phone and desktop width; a keyboard is sufficient."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from tests.support.browsers.screen import BrowserDevice
from tests.support.clients.people import Organiser
from tests.support.services.stack import ADMIN_PASSWORD, StackUnderTest
from tests.support.variants import short_or_long
from tests.support.waiting import eventually

pytestmark = pytest.mark.own_stack

OpenDevice = Callable[..., BrowserDevice]
SIZES = [(390, 844), (1440, 900)]


def is_faultless(device: BrowserDevice) -> None:
    assert device.accessibility_faults() == []
    overflow = device.page.evaluate("() => document.documentElement.scrollWidth - window.innerWidth")
    assert overflow <= 0, "the page scrolls sideways"


@pytest.mark.parametrize("size", SIZES)
def test_code_entry_and_its_refusals(open_device: OpenDevice, size: tuple[int, int]) -> None:
    device = open_device(width=size[0], height=size[1])
    device.page.goto(device.url)
    is_faultless(device)
    device.type_code(f"NoSuchCode{size[0]}")
    device.message()
    is_faultless(device)


@pytest.mark.parametrize("size", short_or_long(SIZES[1:], SIZES))
def test_before_the_start(open_device: OpenDevice, organiser: Organiser, size: tuple[int, int]) -> None:
    soon = datetime.now(UTC) + timedelta(hours=2)
    event_id = organiser.create_event(
        description="Doors at eight.", startsAt=soon.isoformat(), endsAt=(soon + timedelta(hours=1)).isoformat()
    )
    device = open_device(width=size[0], height=size[1])
    device.enter(organiser.tickets(event_id)[0].code)
    device.page.wait_for_selector("#waiting", state="visible")
    is_faultless(device)


@pytest.mark.parametrize("size", short_or_long(SIZES[:1], SIZES))
def test_the_player_and_its_end(
    open_device: OpenDevice, organiser: Organiser, recording: str, size: tuple[int, int]
) -> None:
    [ticket] = organiser.tickets(recording)
    device = open_device(width=size[0], height=size[1])
    device.enter(ticket.code)
    device.plays()
    device.page.mouse.move(size[0] / 2, size[1] / 2)
    is_faultless(device)
    organiser.revoke(ticket)
    device.ended()
    is_faultless(device)


def test_the_api_document(open_device: OpenDevice) -> None:
    """At phone width only, and not all of its hundreds of operations, which take axe many seconds."""
    width, height = SIZES[0]
    device = open_device(width=width, height=height)
    device.page.goto(f"{device.url}/api/docs")
    device.page.evaluate(
        "most => [...document.querySelectorAll('.api-operation')].slice(most).forEach(one => one.remove())",
        short_or_long(10, 1000),
    )
    is_faultless(device)


def test_a_keyboard_is_enough(open_device: OpenDevice, organiser: Organiser, recording: str) -> None:
    device = open_device()
    page = device.page
    page.goto(device.url)
    page.keyboard.type(organiser.tickets(recording)[0].code)
    page.keyboard.press("Enter")
    device.plays()
    page.keyboard.press("Space")
    eventually(lambda: (seen := device.picture()) and seen.is_paused, what="Space pauses")
    page.keyboard.press("Space")
    eventually(lambda: (seen := device.picture()) and not seen.is_paused, what="Space plays")
    page.keyboard.press("m")
    eventually(lambda: page.evaluate("() => document.querySelector('hls-video').muted"), what="M mutes")
    before = page.evaluate("() => document.querySelector('hls-video').currentTime")
    page.keyboard.press("ArrowRight")
    eventually(lambda: page.evaluate("() => document.querySelector('hls-video').currentTime") > before + 3)
    page.keyboard.press("?")
    dialog = page.wait_for_selector("dialog[open], [role=dialog]", state="visible")
    assert dialog
    page.keyboard.press("Escape")
    eventually(lambda: page.locator("dialog[open]").count() == 0, what="Escape closes the help")


@pytest.mark.parametrize("size", SIZES)
def test_the_admin_pages(
    open_device: OpenDevice, gate: StackUnderTest, organiser: Organiser, recording: str, size: tuple[int, int]
) -> None:
    organiser.tickets(recording, 3)
    device = open_device(width=size[0], height=size[1])
    page = device.page
    page.goto(f"{gate.url}/admin")
    is_faultless(device)
    page.get_by_label("Password").fill(ADMIN_PASSWORD)
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Events").wait_for()
    is_faultless(device)
    page.goto(f"{gate.url}/admin/events/new")
    is_faultless(device)
    page.goto(f"{gate.url}/admin/events/{recording}")
    is_faultless(device)
