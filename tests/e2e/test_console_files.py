"""File uploads in the console, in a real browser: a poster, and a file of codes with questions to answer."""

import codecs
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.support.browsers.screen import BrowserDevice
from tests.support.clients.people import Organiser
from tests.support.media.pictures import picture
from tests.support.services.stack import ADMIN_PASSWORD
from tests.support.variants import short_or_long

pytestmark = pytest.mark.own_stack

OpenDevice = Callable[..., BrowserDevice]
SIZES = [(390, 844), (1440, 900)]


def signed_in(device: BrowserDevice, path: str) -> Page:
    device.page.goto(f"{device.url}/admin/login?next={path}")
    device.page.get_by_label("Password").fill(ADMIN_PASSWORD)
    device.page.keyboard.press("Enter")
    return device.page


@pytest.mark.parametrize("size", short_or_long(SIZES[:1], SIZES))
def test_an_uploaded_poster_is_shown_to_waiting_viewers(
    open_device: OpenDevice, organiser: Organiser, tmp_path: Path, size: tuple[int, int]
) -> None:
    soon = datetime.now(UTC) + timedelta(hours=2)
    times = {"startsAt": soon.isoformat(), "endsAt": (soon + timedelta(hours=1)).isoformat()}
    event_id = organiser.create_event(**times)
    device = open_device(width=size[0], height=size[1])
    page = signed_in(device, f"/admin/events/{event_id}")
    (tmp_path / "notes.png").write_text("no picture")
    (tmp_path / "poster.jpg").write_bytes(picture("JPEG", (1920, 1080)))
    for name, sentence in (("notes.png", "This is not a picture"), ("poster.jpg", "The poster was uploaded.")):
        page.get_by_label("Picture").set_input_files(tmp_path / name)
        page.get_by_role("button", name="Upload").click()
        page.get_by_text(sentence).wait_for()
        assert device.accessibility_faults() == []
    viewer = open_device(width=size[0], height=size[1])
    viewer.enter(organiser.tickets(event_id)[0].code)
    poster = viewer.page.locator("#waiting-poster")
    expect(poster).to_have_js_property("naturalWidth", 1920)
    page.get_by_role("button", name="Remove the poster").click()
    page.get_by_text("The poster was removed.").wait_for()


@pytest.mark.parametrize("size", short_or_long(SIZES[1:], SIZES))
def test_a_spreadsheets_file_is_imported_once_its_questions_are_answered(
    open_device: OpenDevice, organiser: Organiser, tmp_path: Path, size: tuple[int, int]
) -> None:
    event_id = organiser.create_event()
    device = open_device(width=size[0], height=size[1])
    page = signed_in(device, f"/admin/events/{event_id}")
    page.get_by_role("link", name="Import your own codes").click()
    codes = [f"k7F2x9M4b{size[0]}{letter}" for letter in "QX"]
    text = f"Zutritt\t\n{codes[0]}\tReihe 1, Übung\n{codes[1]}\t\nGartenparty\t\n"
    (tmp_path / "codes.csv").write_bytes(codecs.BOM_UTF16_LE + text.encode("utf-16-le"))
    page.get_by_label("File").wait_for()  # the page's script has shown it and is ready
    page.get_by_label("File").set_input_files(tmp_path / "codes.csv")
    expect(page.get_by_label("Codes", exact=True)).to_have_value(text)
    page.get_by_role("button", name="Check the codes").click()
    page.get_by_text("This looks like a heading").wait_for()
    assert device.accessibility_faults() == []
    page.get_by_role("button", name="Leave them out and import 2 codes").click()
    page.get_by_text("The codes were imported.").wait_for()
    expect(page.get_by_text("Reihe 1, Übung")).to_be_visible()
    expect(page.get_by_text("Gartenparty")).to_be_hidden()
