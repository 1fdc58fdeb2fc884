"""Live streams that break and recover, in a real browser: the page says so, and resumes automatically."""

import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.browsers.screen import BrowserDevice
from tests.support.clients.people import Organiser
from tests.support.media.encoder import NAMINGS, Encoder
from tests.support.media.packager import FAULTS, Fault, Packager, make_films
from tests.support.media.streams import Folder
from tests.support.media.video import SEGMENT_SECONDS
from tests.support.services.stack import StackUnderTest
from tests.support.variants import short_or_long
from tests.support.waiting import eventually, stays

if TYPE_CHECKING:
    from playwright.sync_api import Route

OpenDevice = Callable[..., BrowserDevice]
INTERRUPTED = "The broadcast has been interrupted. It continues here by itself as soon as it is back."
WITHIN = 60.0  # on a busy machine
SELDOM = 150.0  # without hls.js an interrupted page asks every half a minute, twice if it asks too early
STILL_SHOWN = 5.0  # seconds until a busy machine has reloaded; it used to be twenty, the whole buffer
COUNT_WHAT_IS_SHOWN = """() => {
    const video = document.querySelector('hls-video');
    let at = video.currentTime;
    window.shown = {};
    setInterval(() => {
        const moved = video.currentTime - at;
        at = video.currentTime;
        if (moved > 0 && moved < 1) window.shown[video.videoWidth] = (window.shown[video.videoWidth] ?? 0) + moved;
    }, 100);
}"""


@dataclass
class WatchedEncoder:
    """An encoder and a viewer of its stream."""

    encoder: Encoder
    device: BrowserDevice

    def badge(self) -> str | None:
        return self.device.page.get_attribute("#badge", "data-kind")

    def says(self, sentence: str) -> None:
        """Wait for a message over the picture; "" means none."""
        page = self.device.page
        eventually(
            lambda: page.inner_text(".notice-words") == sentence, WITHIN, what=f"{self.encoder.naming}: {sentence}"
        )

    def has_shown_all(self) -> None:
        """Wait until the picture has stopped for a while, when the buffer is used up."""
        seen, since = -1.0, time.monotonic()

        def stands_still() -> bool:
            nonlocal seen, since
            picture = self.device.picture()
            if picture and picture.time != seen:
                seen, since = picture.time, time.monotonic()
            return time.monotonic() - since > SEGMENT_SECONDS

        eventually(stands_still, WITHIN, what=f"{self.encoder.naming}: the end of what was there")

    def is_live(self, width: int, within: float = WITHIN) -> None:
        """Wait until the picture of that width moves, with the live badge."""
        self.device.plays(within=within)
        self.says("")
        eventually(lambda: self.badge() == "live", WITHIN, what=f"{self.encoder.naming}: live")
        shown = "() => document.querySelector('hls-video').videoWidth"
        eventually(
            lambda: self.device.page.evaluate(shown) == width, WITHIN, what=f"{self.encoder.naming}: its picture"
        )


@pytest.fixture
def watched(
    gate: StackUnderTest, organiser: Organiser, open_device: OpenDevice
) -> Iterator[Callable[..., WatchedEncoder]]:
    encoders: list[Encoder] = []

    def watch(naming: str, *, plays_by_itself: bool = False) -> WatchedEncoder:
        event_id = organiser.create_event(title=f"Live, {naming}")
        encoder = Encoder(gate.streams / event_id, naming)
        encoders.append(encoder)
        encoder.start()
        encoder.has_begun()
        device = open_device(width=640, height=360)
        if plays_by_itself:
            device.lose_media_source()
        device.enter(organiser.tickets(event_id)[0].code)
        device.plays(within=WITHIN)
        return WatchedEncoder(encoder, device)

    yield watch
    for encoder in encoders:
        encoder.kill()


# One after another: two cores are too slow for seven pictures at once.
@pytest.mark.parametrize(
    ("namings", "plays_by_itself"),
    short_or_long(
        [(NAMINGS[:2], False)],  # without hls.js Chromium needs both cores while it waits for a live stream
        [(NAMINGS[:3], False), (NAMINGS[3:], False), (NAMINGS[:2], True)],
    ),
)
def test_playback_resumes_automatically_however_the_new_encoder_names_its_files(
    watched: Callable[..., WatchedEncoder],
    namings: Sequence[str],
    plays_by_itself: bool,  # noqa: FBT001 - a parameter
) -> None:
    """Also with native playback, without hls.js."""
    pairs = [watched(naming, plays_by_itself=plays_by_itself) for naming in namings]
    for pair in pairs:
        pair.is_live(width=320)
        pair.encoder.kill()
    for pair in pairs:
        pair.says(INTERRUPTED)
        assert pair.badge() == "interrupted"
    for pair in pairs:
        pair.encoder.start(size="640x360")
    for pair in pairs:
        pair.is_live(width=640, within=SELDOM if plays_by_itself else WITHIN)


def test_nothing_is_shown_twice_when_an_encoder_restarts_its_numbers(watched: Callable[..., WatchedEncoder]) -> None:
    """The first window has passed, so that old and new numbers do not overlap."""
    pairs = [watched(naming) for naming in short_or_long(("again from 0",), ("again from 0", "time stamps"))]
    for pair in pairs:
        pair.encoder.has_moved_on()
        pair.is_live(width=320)
        pair.encoder.kill()
    for pair in pairs:
        pair.says(INTERRUPTED)
        pair.has_shown_all()
        pair.device.page.evaluate(COUNT_WHAT_IS_SHOWN)
        pair.encoder.start(size="640x360")
    for pair in pairs:
        pair.is_live(width=640)
        shown = pair.device.page.evaluate("() => window.shown")
        assert shown.get("320", 0) < STILL_SHOWN, f"{pair.encoder.naming}: seconds by width: {shown}"


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("films")
    make_films(folder)
    return folder


@pytest.mark.parametrize("faults", short_or_long([FAULTS[::3]], [FAULTS[:2], FAULTS[2:]]))
def test_playback_continues_whatever_a_packager_does_to_its_numbers(
    gate: StackUnderTest, organiser: Organiser, open_device: OpenDevice, films: Path, faults: Sequence[Fault]
) -> None:
    with ExitStack() as cleanup:
        pairs = []
        for fault in faults:
            event_id = organiser.create_event(title=fault.__name__)
            shutil.copytree(films, gate.streams / event_id, ignore=shutil.ignore_patterns("made"))
            packager = Packager(Folder(event_id, gate.streams / event_id, ""), fault)
            packager.start()
            cleanup.callback(packager.stop)
            device = open_device(width=640, height=360)
            device.enter(organiser.tickets(event_id)[0].code)
            device.plays(within=WITHIN)
            pairs.append((packager, device))
        for packager, _ in pairs:
            packager.may_fail.set()
        for packager, _ in pairs:
            assert packager.has_failed.wait(WITHIN)
        for packager, device in pairs:
            goes_on(device, packager.fault.__name__)


def goes_on(device: BrowserDevice, fault: str) -> None:
    """Wait until the page has shown no message for a while and the picture moves."""
    page, well_since = device.page, time.monotonic()

    def is_well() -> bool:
        is_quiet = not page.is_visible(".trouble") and page.text_content(".notice-words") == ""
        return is_quiet and page.get_attribute("#badge", "data-kind") == "live"

    def has_been_well() -> bool:
        nonlocal well_since
        well_since = well_since if is_well() else time.monotonic()
        return time.monotonic() - well_since > 3 * SEGMENT_SECONDS

    eventually(has_been_well, WITHIN, what=f"{fault}: all is well")
    device.plays(within=WITHIN)


def test_a_slow_recording_does_not_count_as_over_with_native_playback(
    organiser: Organiser, recording: str, open_device: OpenDevice
) -> None:
    """It stalls longer than a live picture may: that check is only for live streams."""
    device = open_device(width=640, height=360)
    device.lose_media_source()
    held: list[Route] = []
    device.page.route("**/stream.m3u8*", lambda route: held.append(route))  # noqa: PLW0108 - Playwright wants a function
    device.enter(organiser.tickets(recording)[0].code)
    eventually(lambda: device.page.evaluate("1") and held, WITHIN, what="the playlist is asked for")
    stays(lambda: not device.page.is_visible(".finale"), during=12, every=0.5, what="nothing is over")
    for route in held:
        route.continue_()
    device.page.unroute("**/stream.m3u8*")
    device.plays(within=WITHIN)
