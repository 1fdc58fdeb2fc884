"""Native playback continues past the first token: by the cookie that the page refreshes, and from another origin by a
long-lived path token. Tokens live for 30 seconds.
"""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.support.browsers.elsewhere import is_playing, media_of, native_url, portal_elsewhere, streams_origin
from tests.support.browsers.screen import BrowserDevice, new_device
from tests.support.clients.people import Organiser
from tests.support.media.video import LONG_RECORDING, make_recording
from tests.support.services.stack import StackUnderTest
from tests.support.waiting import eventually, stays

TOKEN_SECONDS = 30
REFUSED_AFTER = TOKEN_SECONDS + 8.0  # the gate's leeway is 5 s


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StackUnderTest]:
    with portal_elsewhere(tmp_path_factory.mktemp("native"), PLAYBACK_TOKEN_SECONDS=str(TOKEN_SECONDS)) as running:
        yield running


@pytest.fixture
def by_cookie_and_by_path(
    gate: StackUnderTest, organiser: Organiser, browser: Browser
) -> Iterator[list[BrowserDevice]]:
    """Two devices, at the streams' own origin and at another one, playing a recording longer than the test."""
    recording = organiser.create_event()
    make_recording(gate.streams / recording, LONG_RECORDING)
    devices = [new_device(browser, url) for url in (streams_origin(gate), gate.url)]
    for device in devices:
        device.lose_media_source()
        device.enter(organiser.tickets(recording)[0].code)
        device.plays()
    yield devices
    for device in devices:
        device.close()


def test_no_media_request_is_refused_after_the_first_token_expires(
    gate: StackUnderTest, by_cookie_and_by_path: list[BrowserDevice]
) -> None:
    devices = by_cookie_and_by_path
    for device, path in zip(devices, ("/streams/", "/t/"), strict=True):
        assert native_url(device).startswith(f"{streams_origin(gate)}{path}")
    stays(lambda: all(map(is_playing, devices)), during=REFUSED_AFTER, what="playing")

    asked = [media_of(device) for device in devices]
    for device in devices:
        device.plays()
    eventually(lambda: all(map(is_playing, devices)) and all(asked), what="they ask for more")
    assert [device.failed_media for device in devices] == [[], []]
    assert [device.complaints for device in devices] == [[], []]
