"""Tokens of half a minute: they are renewed during playback, and no media request fails, even in an outage."""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser

from tests.support.browsers.screen import BrowserDevice, new_device
from tests.support.clients.people import Organiser
from tests.support.media.video import LONG_RECORDING, live, make_recording
from tests.support.services.stack import StackUnderTest
from tests.support.waiting import eventually, stays

TOKEN_SECONDS = 30  # the least


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StackUnderTest]:
    home = tmp_path_factory.mktemp("short")
    with StackUnderTest(home, settings={"PLAYBACK_TOKEN_SECONDS": str(TOKEN_SECONDS)}) as running:
        yield running


@pytest.fixture
def watching(
    gate: StackUnderTest, organiser: Organiser, browser: Browser
) -> Iterator[Callable[[], list[BrowserDevice]]]:
    """Two playing devices, at a live stream and at a recording."""
    recording, concert = organiser.create_event(), organiser.create_event()
    make_recording(gate.streams / recording, LONG_RECORDING)
    with live(gate.streams / concert):
        devices = [new_device(browser, gate.url) for _ in range(2)]
        for device, event_id in zip(devices, (recording, concert), strict=True):
            device.enter(organiser.tickets(event_id)[0].code)
            device.plays()
        yield lambda: devices
        for device in devices:
            device.close()


def test_no_media_request_fails_while_tokens_are_renewed_and_the_control_plane_restarts(
    gate: StackUnderTest, watching: Callable[[], list[BrowserDevice]]
) -> None:
    devices = watching()
    tokens = [device.token for device in devices]
    stays(lambda: all(is_playing(device) for device in devices), during=TOKEN_SECONDS + 5)
    are_renewed(devices, tokens)

    gate.control_plane.kill()
    stays(lambda: all(is_playing(device) for device in devices), during=TOKEN_SECONDS / 4)
    tokens = [device.token for device in devices]
    gate.control_plane.start()
    gate.control_plane.wait_ready()
    are_renewed(devices, tokens)
    assert [device.failed_media for device in devices] == [[], []]
    assert [device.complaints for device in devices] == [[], []]


def is_playing(device: BrowserDevice) -> bool:
    seen = device.picture()
    return seen is not None and not seen.is_paused


def are_renewed(devices: list[BrowserDevice], tokens: list[str]) -> None:
    """Wait until media requests use new tokens and both pictures move."""
    for device, token in zip(devices, tokens, strict=True):

        def has_another(device: BrowserDevice = device, token: str = token) -> bool:
            return is_playing(device) and device.token != token

        eventually(has_another, within=TOKEN_SECONDS, what="another token")
        device.plays()
