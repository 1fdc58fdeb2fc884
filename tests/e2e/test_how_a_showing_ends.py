"""Ends, faults and gaps of playback: each has its own message, and playback resumes automatically if possible."""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Route, expect

from tests.support.browsers.screen import BrowserDevice
from tests.support.clients.people import Organiser
from tests.support.media.encoder import Encoder
from tests.support.media.video import make_recording
from tests.support.services.stack import StackUnderTest
from tests.support.waiting import eventually, stays

OpenDevice = Callable[..., BrowserDevice]
WITHIN = 60.0  # on a busy machine
POSITION = "() => document.querySelector('hls-video').currentTime"
LENGTH = "() => document.querySelector('hls-video').duration"


def ask_sooner(route: Route) -> None:
    """Let the page poll the event's status every second instead of every 30 seconds."""
    answer = route.fetch()
    body = answer.text().replace('"statusSeconds": 30', '"statusSeconds": 1')
    assert '"statusSeconds": 1,' in body or '"statusSeconds": 1}' in body
    route.fulfill(response=answer, body=body)


@pytest.fixture
def watch(open_device: OpenDevice, organiser: Organiser) -> Callable[[str], BrowserDevice]:
    def begin(event_id: str) -> BrowserDevice:
        device = open_device(width=640, height=360)
        device.page.route(f"{device.url}/", ask_sooner)
        device.enter(organiser.tickets(event_id)[0].code)
        return device

    return begin


@pytest.fixture
def encoder(gate: StackUnderTest, organiser: Organiser) -> Iterator[Encoder]:
    one = Encoder(gate.streams / organiser.create_event(title="Tonight"), "continuing numbers")
    one.start()
    one.has_begun()
    yield one
    one.kill()


def card(device: BrowserDevice, what: str) -> Any:
    """Return the card at the end, once it is shown."""
    found = device.page.wait_for_selector(f".finale[data-of={what}]", state="visible", timeout=WITHIN * 1000)
    assert found
    assert found.query_selector("[data-to-entry]")
    return found


def test_a_recording_plays_to_its_very_end_and_can_be_watched_again(
    gate: StackUnderTest, organiser: Organiser, watch: Callable[[str], BrowserDevice]
) -> None:
    event_id = organiser.create_event(title="A short one")
    make_recording(gate.streams / event_id, seconds=20)
    device = watch(event_id)
    device.plays(within=WITHIN)
    assert "The recording has ended" in card(device, "recording").inner_text()
    assert device.page.evaluate(POSITION) >= device.page.evaluate(LENGTH) - 0.1
    assert device.accessibility_faults() == []
    device.page.click("[data-again]")
    device.plays(within=WITHIN)
    expect(device.page.locator(".finale")).to_be_hidden()


def test_a_broadcast_is_shown_to_its_end_then_a_card_and_continues_with_the_encoder(
    encoder: Encoder, watch: Callable[[str], BrowserDevice]
) -> None:
    device = watch(encoder.folder.name)
    device.plays(within=WITHIN)
    encoder.stop()
    assert "The broadcast has ended" in card(device, "broadcast").inner_text()
    assert device.page.evaluate(POSITION) >= device.page.evaluate(LENGTH) - 0.1
    expect(device.page.locator("[data-again]")).to_be_hidden()
    encoder.start()
    device.page.wait_for_selector(".finale", state="hidden", timeout=WITHIN * 1000)
    device.plays(within=WITHIN)


def test_an_ended_event_says_so_and_a_recording_published_later_starts_automatically(
    gate: StackUnderTest, organiser: Organiser, watch: Callable[[str], BrowserDevice]
) -> None:
    now = datetime.now(UTC)
    window = {"startsAt": now - timedelta(hours=3), "endsAt": now - timedelta(hours=1)}
    event_id = organiser.create_event(title="Last night", **{name: at.isoformat() for name, at in window.items()})
    device = watch(event_id)
    words = card(device, "nothing").inner_text()
    assert "This event is over" in words
    assert "There is no recording." in words
    expect(device.page.locator(".trouble")).to_be_hidden()
    assert "Last night" in words
    make_recording(gate.streams / event_id, seconds=20)
    device.plays(within=WITHIN)
    expect(device.page.locator(".finale")).to_be_hidden()


def test_missing_segments_are_shown_as_a_stream_problem_and_reported_to_the_organiser(
    gate: StackUnderTest, organiser: Organiser, watch: Callable[[str], BrowserDevice]
) -> None:
    event_id = organiser.create_event(title="With a hole")
    folder = gate.streams / event_id
    make_recording(folder)
    hidden = _hide(folder)
    device = watch(event_id)
    panel = device.page.wait_for_selector(".trouble", state="visible", timeout=WITHIN * 1000)
    assert panel
    eventually(
        lambda: "There is a problem with the stream; the organiser has been told" in panel.inner_text(),
        what="the words",
    )
    eventually(lambda: f'"event_id": "{event_id}"' in gate.control_plane.printed(), what="the report")
    printed = gate.control_plane.printed().splitlines()
    [told] = [line for line in printed if "stream_trouble" in line and event_id in line]
    assert '"kind": "missing"' in told
    assert '"status": 404' in told
    assert device.accessibility_faults() == []
    for there, away in hidden.items():
        away.rename(there)
    device.plays(within=WITHIN)
    forgive_lower_quality(device)
    expect(device.page.locator(".trouble")).to_be_hidden()


def forgive_lower_quality(device: BrowserDevice) -> None:
    """Ignore hls-video's complaints about one failed rendition among working ones."""
    device.complaints[:] = [line for line in device.complaints if "downgraded quality" not in line]


def _hide(folder: Path) -> dict[Path, Path]:
    hidden = {segment: segment.with_suffix(".away") for segment in folder.glob("*/*.ts")}
    for there, away in hidden.items():
        there.rename(away)
    return hidden


def test_being_offline_is_shown_at_once_and_playback_resumes_automatically(
    encoder: Encoder, watch: Callable[[str], BrowserDevice]
) -> None:
    device = watch(encoder.folder.name)
    device.plays(within=WITHIN)
    device.context.set_offline(True)
    eventually(lambda: "You are offline." in device.page.inner_text(".notice-words"), what="it says so")
    stays(lambda: not device.page.is_visible(".trouble"), during=12, every=0.5, what="no other complaint")
    device.context.set_offline(False)
    eventually(lambda: "offline" not in device.page.inner_text(".notice-words"), what="it says no more")
    device.plays(within=WITHIN)


def test_a_slow_connection_is_shown_as_slow(encoder: Encoder, watch: Callable[[str], BrowserDevice]) -> None:
    device = watch(encoder.folder.name)
    device.plays(within=WITHIN)
    network = device.context.new_cdp_session(device.page)
    network.send("Network.enable")
    slow = {"offline": False, "latency": 50, "downloadThroughput": 4000, "uploadThroughput": 50_000}
    network.send("Network.emulateNetworkConditions", slow)
    words = "Loading… your connection may be slow."
    eventually(lambda: device.page.inner_text(".notice-words") == words, within=WITHIN, every=0.2, what="slow")
    network.send("Network.emulateNetworkConditions", slow | {"downloadThroughput": -1})
    device.plays(within=WITHIN)


def test_with_any_number_of_failed_renditions_the_viewer_waits_once_and_playback_resumes(
    gate: StackUnderTest, organiser: Organiser, watch: Callable[[str], BrowserDevice]
) -> None:
    event_id = organiser.create_event(title="In four sizes")
    one = Encoder(gate.streams / event_id / "one", "continuing numbers")
    renditions = (f"#EXT-X-STREAM-INF:BANDWIDTH={rate}00000\none/stream.m3u8\n" for rate in range(2, 6))
    (gate.streams / event_id).mkdir()
    (gate.streams / event_id / "stream.m3u8").write_text("#EXTM3U\n" + "".join(renditions))
    one.start()
    failed: list[float] = []

    def refuse(route: Route) -> None:
        failed.append(time.monotonic())
        route.fulfill(status=502, body="{}")

    try:
        one.has_begun()
        device = watch(event_id)
        device.plays(within=WITHIN)
        device.page.route("**/*.ts", refuse)
        panel = device.page.wait_for_selector(".trouble", state="visible", timeout=120_000)
        assert panel
        assert 20 < time.monotonic() - failed[0] < 110  # four renditions with 30 s each would be two minutes
        eventually(lambda: "There is a problem with the stream" in panel.inner_text(), what="the words")
        device.page.unroute("**/*.ts")
        device.plays(within=WITHIN)
        forgive_lower_quality(device)
    finally:
        one.kill()
