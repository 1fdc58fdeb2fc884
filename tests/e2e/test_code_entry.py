"""The code page: each refusal has its message, is associated with the field, and works by keyboard alone."""

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.support.browsers.screen import BrowserDevice
from tests.support.clients.people import Organiser, Viewer
from tests.support.services.stack import StackUnderTest
from tests.support.waiting import eventually

pytestmark = pytest.mark.own_stack

OpenDevice = Callable[..., BrowserDevice]


@pytest.fixture(scope="module")
def event_id(organiser: Organiser) -> str:
    return organiser.create_event()


def is_tied_to_the_field(device: BrowserDevice) -> bool:
    described = device.page.get_attribute("#code", "aria-describedby") or ""
    return "code-message" in described.split() and device.page.get_attribute("#code", "aria-invalid") == "true"


def test_a_wrong_code_is_reported_and_stays_in_the_field(open_device: OpenDevice) -> None:
    device = open_device()
    device.enter("WrongCode123")
    assert device.message() == "Invalid code. Please check your ticket and try again."
    eventually(lambda: is_tied_to_the_field(device), what="the message is tied to the field")
    expect(device.page.locator("#code")).to_have_value("WrongCode123")


def test_a_revoked_code_is_reported(open_device: OpenDevice, organiser: Organiser, event_id: str) -> None:
    [ticket] = organiser.tickets(event_id)
    organiser.revoke(ticket)
    device = open_device()
    device.enter(ticket.code)
    assert device.message() == "This code has been revoked. Please contact the event organizer."
    eventually(lambda: is_tied_to_the_field(device), what="the message is tied to the field")


def test_an_expired_code_is_reported_with_its_end(open_device: OpenDevice, organiser: Organiser) -> None:
    past = datetime.now(UTC) - timedelta(days=3)
    event_id = organiser.create_event(
        startsAt=past.isoformat(), endsAt=(past + timedelta(hours=1)).isoformat(), accessWindowHours=1
    )
    device = open_device()
    device.enter(organiser.tickets(event_id)[0].code)
    assert device.message().startswith("This code has expired. Access was available until ")
    assert str((past + timedelta(hours=2)).year) in device.message()


def test_a_deactivated_event_is_reported(open_device: OpenDevice, organiser: Organiser) -> None:
    event_id = organiser.create_event()
    [ticket] = organiser.tickets(event_id)
    organiser.deactivate(event_id)
    device = open_device()
    device.enter(ticket.code)
    assert device.message() == "This event is no longer available."


def test_a_code_in_use_is_shown_as_a_notice_not_as_an_error(
    open_device: OpenDevice, organiser: Organiser, gate: StackUnderTest, event_id: str
) -> None:
    [ticket] = organiser.tickets(event_id)
    somebody = Viewer(gate.url)
    somebody.redeem(ticket.code).raise_for_status()
    device = open_device()
    device.enter(ticket.code)
    assert device.message().startswith("This access code is currently in use on another device.")
    expect(device.page.locator("#code")).not_to_have_attribute("aria-invalid", "true")
    somebody.close()


def test_too_many_guesses_show_a_countdown(open_device: OpenDevice) -> None:
    device = open_device()
    device.page.goto(device.url)
    for attempt in range(8):
        if "Too many attempts" in device.page.inner_text("#code-message"):
            break
        with device.page.expect_response("**/api/tokens/validate"):
            device.type_code(f"Guess{attempt:07d}")
        eventually(lambda: device.page.is_enabled("#watch") or "Too many" in device.page.inner_text("#code-message"))
    expect(device.page.locator("#code-message")).to_contain_text("Too many attempts.")
    expect(device.page.locator("#watch")).to_contain_text(re.compile(r"\d"))  # the button counts down


def test_spaces_and_dashes_of_a_pasted_code_do_not_matter(open_device: OpenDevice) -> None:
    device = open_device()
    device.page.goto(device.url)
    device.page.focus("#code")
    device.page.evaluate(
        """() => {
            const data = new DataTransfer();
            data.setData('text/plain', '  K7F2-X9M4 B1C3\\n');
            const paste = new ClipboardEvent('paste', {clipboardData: data, bubbles: true, cancelable: true});
            document.querySelector('#code').dispatchEvent(paste);
        }"""
    )
    expect(device.page.locator("#code")).to_have_value("K7F2X9M4B1C3")


def test_the_page_reads_codes_like_the_server_and_keeps_the_input_when_the_language_changes(
    open_device: OpenDevice,
) -> None:
    device = open_device()
    device.page.goto(device.url)
    typed = json.loads((Path(__file__).parents[1] / "support" / "typed_codes.json").read_text(encoding="utf-8"))
    found = device.page.evaluate(
        """async (texts) => {
            const { href } = document.querySelector('link[rel=modulepreload][href*="code-text"]');
            const { bare } = await import(href);
            return texts.map((text) => bare(text));
        }""",
        [text for text, _ in typed if text.isprintable() or "\ud800" not in text],
    )
    assert found == [code for text, code in typed if text.isprintable() or "\ud800" not in text]
    device.page.fill("#code", "k7f2-x9m4 ü")
    device.page.click("a[hreflang=de]")
    device.page.wait_for_selector("html[lang=de]")
    expect(device.page.locator("#code")).to_have_value("k7f2x9m4ü")
    expect(device.page).not_to_have_url(re.compile("#"))


@pytest.mark.parametrize(
    ("locale", "words"), [("de-DE", "Zugangscode"), ("fr-FR", "code"), ("es-ES", "código"), ("en-GB", "access code")]
)
def test_the_page_uses_the_browsers_language(open_device: OpenDevice, locale: str, words: str) -> None:
    device = open_device(locale=locale)
    device.page.goto(device.url)
    expect(device.page.locator("main")).to_contain_text(words, ignore_case=True)
    expect(device.page.locator("html")).to_have_attribute("lang", locale[:2])


def test_before_the_start_the_viewer_waits_with_a_countdown(open_device: OpenDevice, organiser: Organiser) -> None:
    soon = datetime.now(UTC) + timedelta(hours=2)
    event_id = organiser.create_event(
        title="Tonight", startsAt=soon.isoformat(), endsAt=(soon + timedelta(hours=1)).isoformat()
    )
    device = open_device()
    device.enter(organiser.tickets(event_id)[0].code)
    device.page.wait_for_selector("#waiting", state="visible")
    expect(device.page.locator("#waiting")).to_contain_text("Tonight")


def test_days_ahead_the_page_says_it_may_be_closed_and_offers_a_calendar_file(
    open_device: OpenDevice, organiser: Organiser
) -> None:
    starts, ends = (datetime.now(UTC).replace(microsecond=0) + timedelta(days=3, hours=hours) for hours in (0, 2))
    title = "Ein langer Abend; mit Gästen, Musik \\ " + "ü" * 60
    event_id = organiser.create_event(
        title=title, description="First\nsecond", startsAt=starts.isoformat(), endsAt=ends.isoformat()
    )
    [ticket] = organiser.tickets(event_id)
    device = open_device()
    device.enter(ticket.code)
    device.page.wait_for_selector("#waiting", state="visible")
    expect(device.page.locator("#waiting-note")).to_contain_text("You can close this page and come back")
    expect(device.page.locator("#waiting-end")).to_contain_text(str(ends.year))
    with device.page.expect_download() as downloading:
        device.page.click("#calendar")
    file = downloading.value.path().read_bytes()
    assert all(len(line) <= 75 for line in file.split(b"\r\n"))
    lines = file.decode().replace("\r\n ", "").split("\r\n")
    assert f"DTSTART:{starts:%Y%m%dT%H%M%SZ}" in lines
    assert f"DTEND:{ends:%Y%m%dT%H%M%SZ}" in lines
    assert "SUMMARY:" + title.replace("\\", "\\\\").replace(";", "\\;").replace(",", "\\,") in lines
    assert "DESCRIPTION:First\\nsecond" in lines
    assert [line for line in lines if ticket.code in line] == [f"URL:{device.url.rstrip('/')}/#{ticket.code}"]
