"""A page that plays is seen by the gate: it beats seldom, and its seat is nobody else's meanwhile."""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Route

from tests.support.people import Organiser
from tests.support.screen import Device
from tests.support.stack import StackUnderTest
from tests.support.waiting import eventually, stays

OpenDevice = Callable[..., Device]
BEAT_SECONDS = 20  # in place of 30
SILENCE_SECONDS = 15  # after which a seat is free for the next


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StackUnderTest]:
    home = tmp_path_factory.mktemp("beats") / "home"
    stack = StackUnderTest(home, settings={"SESSION_TIMEOUT_SECONDS": str(SILENCE_SECONDS)})
    try:
        stack.start()
        yield stack
    finally:
        stack.stop()


def beat_sooner(route: Route) -> None:
    answer = route.fetch()
    body = answer.text().replace('"heartbeatSeconds": 30', f'"heartbeatSeconds": {BEAT_SECONDS}')
    assert f'"heartbeatSeconds": {BEAT_SECONDS}' in body
    route.fulfill(response=answer, body=body)


def test_a_page_that_plays_beats_seldom_keeps_its_seat_and_beats_again_when_it_has_paused(
    open_device: OpenDevice, organiser: Organiser, recording: str
) -> None:
    [ticket] = organiser.tickets(recording)
    device, other = open_device(), open_device()
    beats: list[str] = []
    device.page.route(f"{device.url}/", beat_sooner)
    device.page.on("request", lambda request: beats.append(request.url) if "heartbeat" in request.url else None)

    def count() -> int:
        device.page.evaluate("1")  # Playwright tells of requests while it is asked something
        return len(beats)

    device.enter(ticket.code)
    device.plays()
    known = eventually(count, within=60, every=0.5, what="the first heartbeat")
    stays(lambda: count() == known, during=1.5 * BEAT_SECONDS, every=0.5, what="no heartbeat")
    other.enter(ticket.code)
    assert "in use on another device" in other.message()
    device.page.keyboard.press("Space")
    eventually(lambda: count() > known, within=60, every=0.5, what="a heartbeat")
