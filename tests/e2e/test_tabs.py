"""Several tabs of one browser: each resumes its own ticket, a ticket plays in one tab, and each end has its reason."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from shutil import copytree

import httpx2
import pytest
from playwright.sync_api import Page, expect

from control_plane.end_reasons import INTENDED, EndReason
from tests.support.browsers.screen import BrowserDevice
from tests.support.clients.people import IssuedTicket, Organiser
from tests.support.services.stack import StackUnderTest
from tests.support.waiting import eventually, stays

OpenDevice = Callable[..., BrowserDevice]


@pytest.fixture(scope="module")
def other_recording(gate: StackUnderTest, organiser: Organiser, recording: str) -> str:
    event_id = organiser.create_event(title="The other recording")
    copytree(gate.streams / recording, gate.streams / event_id)
    return event_id


def new_tab(device: BrowserDevice, code: str) -> Page:
    """Watch in another tab of the same browser."""
    device.open_tab()
    device.enter(code)
    device.plays()
    return device.page


def look_at(device: BrowserDevice, page: Page) -> BrowserDevice:
    device.page = page
    page.bring_to_front()
    return device


def duplicate(device: BrowserDevice) -> Page:
    """Open this address again with a copy of this tab's session storage, as "Duplicate tab" does."""
    with device.context.expect_page() as opened:
        device.page.evaluate("() => { window.open(location.href); }")
    return opened.value


def watch_here(device: BrowserDevice) -> None:
    device.page.get_by_role("button", name="Watch here", exact=True).click()


def test_tickets_of_two_events_resume_in_their_own_tabs_after_a_reload(
    open_device: OpenDevice, organiser: Organiser, recording: str, other_recording: str
) -> None:
    device = open_device()
    tabs = {
        title: new_tab(device, organiser.tickets(event_id)[0].code)
        for title, event_id in (("The recording", recording), ("The other recording", other_recording))
    }
    for title, page in [*tabs.items(), *tabs.items()]:
        look_at(device, page)
        page.reload()
        device.plays()
        expect(page.locator("h1.title")).to_have_text(title)
    for page in tabs.values():
        look_at(device, page).plays()


def test_a_duplicated_tab_does_not_affect_the_first_until_the_viewer_chooses_it(
    open_device: OpenDevice, organiser: Organiser, recording: str
) -> None:
    device = open_device()
    first = new_tab(device, organiser.tickets(recording)[0].code)
    copy = duplicate(device)
    reason, words = look_at(device, copy).ended()
    assert (reason, "playing in another tab" in words) == ("replaced", True)
    assert device.accessibility_faults() == []
    look_at(device, first).plays()
    look_at(device, copy)
    watch_here(device)
    device.plays()
    reason, words = look_at(device, first).ended()
    assert (reason, "This is now playing in another tab of this browser." in words) == ("replaced", True)
    watch_here(device)
    device.plays()
    assert look_at(device, copy).ended()[0] == "replaced"


def test_the_same_code_in_another_tab_says_so_and_offers_to_watch_there(
    open_device: OpenDevice, organiser: Organiser, recording: str
) -> None:
    [ticket] = organiser.tickets(recording)
    device = open_device()
    first = new_tab(device, ticket.code)
    device.open_tab()
    device.enter(ticket.code)
    assert device.message() == "This is already playing in another tab of this browser. You can watch here instead."
    expect(device.page.locator("#code-message")).to_have_attribute("data-kind", "info")
    assert device.accessibility_faults() == []
    second = device.page
    look_at(device, first).plays()
    look_at(device, second)
    watch_here(device)
    device.plays()
    assert look_at(device, first).ended()[0] == "replaced"


def test_a_tab_that_is_busy_for_seconds_keeps_its_session(
    open_device: OpenDevice, organiser: Organiser, recording: str
) -> None:
    [ticket] = organiser.tickets(recording)
    device = open_device()
    first = new_tab(device, ticket.code)
    device.open_tab()
    device.page.goto(device.url)
    first.evaluate("""() => { setTimeout(() => {
        const until = performance.now() + 1000;
        while (performance.now() < until);
    }, 0); }""")
    device.type_code(ticket.code)
    assert device.message() == "This is already playing in another tab of this browser. You can watch here instead."
    look_at(device, first).plays()


def test_a_closed_tab_no_longer_plays(open_device: OpenDevice, organiser: Organiser, recording: str) -> None:
    [ticket] = organiser.tickets(recording)
    device = open_device()
    first = new_tab(device, ticket.code)
    device.open_tab()
    device.page.goto(device.url)
    first.close()
    device.type_code(ticket.code)
    device.plays()


def test_without_storage_tabs_still_do_not_affect_each_other(
    open_device: OpenDevice, organiser: Organiser, recording: str, other_recording: str
) -> None:
    device = open_device()
    device.context.add_init_script("""
        Object.defineProperty(window, "sessionStorage", { get() { throw new DOMException("no", "SecurityError"); } });
        delete window.BroadcastChannel;
    """)
    first = new_tab(device, organiser.tickets(recording)[0].code)
    second = new_tab(device, organiser.tickets(other_recording)[0].code)
    look_at(device, first).plays()
    first.reload()
    first.wait_for_selector("#code", state="visible")
    look_at(device, second).plays()


def test_a_waiting_page_gives_its_seat_to_the_viewers_other_device_and_can_take_it_back(
    open_device: OpenDevice, organiser: Organiser
) -> None:
    soon = datetime.now(UTC) + timedelta(hours=2)
    window = {"startsAt": soon.isoformat(), "endsAt": (soon + timedelta(hours=1)).isoformat()}
    [ticket] = organiser.tickets(organiser.create_event(title="Tonight", **window))
    phone, laptop = open_device(), open_device()
    phone.enter(ticket.code)
    phone.page.wait_for_selector("#waiting", state="visible")
    laptop.enter(ticket.code)
    laptop.page.wait_for_selector("#waiting", state="visible")
    phone.page.evaluate("() => dispatchEvent(new Event('online'))")
    reason, words = phone.ended(within=45)
    assert reason == "yielded"
    assert "Your code was entered on another device while this one was waiting for the start." in words
    watch_here(phone)
    phone.page.wait_for_selector("#waiting", state="visible")
    assert laptop.ended(within=45)[0] == "yielded"
    stays(lambda: phone.page.locator("#waiting").is_visible(), during=1, what="nobody takes it back by themselves")


@pytest.mark.parametrize("how", ["deleted", "kicked", "devices"])
def test_an_organisers_actions_are_named_to_the_viewer(
    open_device: OpenDevice, organiser: Organiser, recording: str, gate: StackUnderTest, how: str
) -> None:
    event_id = organiser.create_event(title="The recording", maxDevices=2)
    copytree(gate.streams / recording, gate.streams / event_id)
    [ticket] = organiser.tickets(event_id)
    device, other = open_device(), httpx2.Client(base_url=gate.url, timeout=30)
    device.enter(ticket.code)
    device.plays()
    other.post("/api/tokens/validate", json={"code": ticket.code}).raise_for_status()
    _done_by(organiser, event_id, ticket)[how]()
    reason, words = device.ended(within=45)
    assert reason == how
    assert {
        "deleted": "This code is no longer valid.",
        "kicked": "The event organizer has ended this session.",
        "devices": "The event organizer now lets this code be used on fewer devices at a time.",
    }[how] in words
    other.close()


def _done_by(organiser: Organiser, event_id: str, ticket: IssuedTicket) -> dict[str, Callable[[], None]]:
    return {
        "deleted": lambda: organiser.delete(ticket),
        "kicked": lambda: organiser.kick_all(event_id),
        "devices": lambda: organiser.change(event_id, maxDevices=1),
    }


def test_the_page_knows_every_end_reason(open_device: OpenDevice) -> None:
    device = open_device()
    device.page.goto(device.url)
    known = device.page.evaluate("async () => (await import('/static/portal/endings.js')).ENDINGS")
    assert set(known) == set(EndReason)
    assert {word for word, shown in known.items() if shown.get("meant")} == {
        *INTENDED,
        EndReason.REVOKED,
        EndReason.EVENT,
    }
    icons = device.page.evaluate("async () => (await fetch('/static/vendor/icons.svg')).text()")
    assert [shown["icon"] for shown in known.values() if f'"i-{shown["icon"]}"' not in icons] == []
    eventually(lambda: device.page.locator("#code").is_visible())
