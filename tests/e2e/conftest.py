"""A whole StreamGate, with a signed-in organiser."""

from collections.abc import Callable, Iterator
from shutil import which
from typing import Any

import pytest
from playwright.sync_api import Browser, Playwright, expect, sync_playwright

from tests.support.browsers.screen import BrowserDevice, new_device
from tests.support.clients.people import Organiser
from tests.support.data.tokens import Minter
from tests.support.media.streams import Folder, make_folder
from tests.support.media.video import live, make_recording
from tests.support.services.databases import running_stack
from tests.support.services.stack import StackUnderTest

expect.set_options(timeout=20_000)  # milliseconds: as long as `eventually` waits


@pytest.fixture(scope="package")
def shared_gate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StackUnderTest]:
    with StackUnderTest(tmp_path_factory.mktemp("shared")) as running:
        yield running


@pytest.fixture(scope="module")
def gate(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StackUnderTest]:
    """One that modules share, or a module's own one: see the marker `own_stack`, and ON_BOTH_DATABASES."""
    if not hasattr(request, "param") and not request.node.get_closest_marker("own_stack"):
        yield request.getfixturevalue("shared_gate")
        return
    with running_stack(request, tmp_path_factory.mktemp("gate")) as running:
        yield running


@pytest.fixture(scope="module")
def folder(gate: StackUnderTest) -> Folder:
    """A stream whose files all name their event."""
    return make_folder(gate.streams)


@pytest.fixture(scope="module")
def valid_token(gate: StackUnderTest, folder: Folder) -> str:
    """A valid token for it."""
    return Minter(gate.home).token(folder.event_id)


@pytest.fixture(scope="module")
def organiser(gate: StackUnderTest) -> Iterator[Organiser]:
    person = Organiser(gate.url)
    yield person
    person.close()


@pytest.fixture(scope="package")
def playwright() -> Iterator[Playwright]:
    """Its event loop runs in the tests' thread until the last of these tests is over: see `in_thread`."""
    with sync_playwright() as running:
        yield running


@pytest.fixture(scope="package")
def browser(playwright: Playwright) -> Iterator[Browser]:
    """Debian's Chromium."""
    running = playwright.chromium.launch(executable_path=which("chromium"), args=["--no-sandbox", "--disable-quic"])
    yield running
    running.close()


@pytest.fixture
def open_device(browser: Browser, gate: StackUnderTest) -> Iterator[Callable[..., BrowserDevice]]:
    """A factory of devices at this gate; fails if any of them recorded complaints."""
    devices: list[BrowserDevice] = []

    def open_one(**options: Any) -> BrowserDevice:
        devices.append(new_device(browser, gate.url, **options))
        return devices[-1]

    yield open_one
    complaints = [complaint for device in devices for complaint in device.complaints]
    for device in devices:
        device.close()
    assert complaints == []


@pytest.fixture(scope="module")
def recording(gate: StackUnderTest, organiser: Organiser) -> str:
    """The id of an event with a recording."""
    event_id = organiser.create_event(title="The recording")
    make_recording(gate.streams / event_id)
    return event_id


@pytest.fixture(scope="module")
def live_event(gate: StackUnderTest, organiser: Organiser) -> Iterator[str]:
    """The id of an event with a live stream."""
    event_id = organiser.create_event(title="The concert")
    with live(gate.streams / event_id):
        yield event_id
