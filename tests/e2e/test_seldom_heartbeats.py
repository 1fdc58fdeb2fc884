"""The gate reports a playing page, so the page sends few heartbeats and still keeps its seat."""

import time
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Route

from tests.support.browsers.screen import BrowserDevice
from tests.support.clients.people import Organiser
from tests.support.media.video import LONG_RECORDING, make_recording
from tests.support.services.stack import StackUnderTest
from tests.support.waiting import eventually

OpenDevice = Callable[..., BrowserDevice]
BEAT_SECONDS = 20  # in place of 30
SILENCE_SECONDS = 25  # after which a seat can be claimed


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StackUnderTest]:
    home = tmp_path_factory.mktemp("beats") / "home"
    with StackUnderTest(home, settings={"SESSION_TIMEOUT_SECONDS": str(SILENCE_SECONDS)}) as stack:
        yield stack


def beat_sooner(route: Route) -> None:
    answer = route.fetch()
    body = answer.text().replace('"heartbeatSeconds": 30', f'"heartbeatSeconds": {BEAT_SECONDS}')
    assert f'"heartbeatSeconds": {BEAT_SECONDS}' in body
    route.fulfill(response=answer, body=body)


def test_a_playing_page_sends_few_heartbeats_keeps_its_seat_and_sends_more_when_paused(
    open_device: OpenDevice, organiser: Organiser, gate: StackUnderTest
) -> None:
    event_id = organiser.create_event()
    make_recording(gate.streams / event_id, LONG_RECORDING)
    [ticket] = organiser.tickets(event_id)
    device, other = open_device(), open_device()
    beats: list[str] = []
    device.page.route(f"{device.url}/", beat_sooner)
    device.page.on("request", lambda request: beats.append(request.url) if "heartbeat" in request.url else None)

    def count() -> int:
        device.page.evaluate("1")  # Playwright delivers events only during its calls
        return len(beats)

    device.enter(ticket.code)
    device.plays()
    eventually(count, within=60, every=0.5, what="the first heartbeat")
    known, since = count(), time.monotonic()

    def is_silent() -> bool:
        """Return whether there was no heartbeat for long. A late report may have caused one more before."""
        nonlocal known, since
        if count() != known:
            known, since = count(), time.monotonic()
        return time.monotonic() - since > 1.5 * BEAT_SECONDS

    eventually(is_silent, within=100, every=0.5, what="a time without a heartbeat")
    other.enter(ticket.code)
    assert "in use on another device" in other.message()
    device.page.keyboard.press("Space")
    eventually(lambda: count() > known, within=60, every=0.5, what="a heartbeat")
