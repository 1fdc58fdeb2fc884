"""The portal in Firefox: typing a code and clicking starts the recording and the live stream."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.browsers.firefox import Firefox
from tests.support.clients.people import Organiser
from tests.support.services.stack import StackUnderTest
from tests.support.variants import short_or_long
from tests.support.waiting import eventually

PICTURE = """(video => video?.getVideoPlaybackQuality
    ? [video.currentTime, video.getVideoPlaybackQuality().totalVideoFrames, video.paused] : null
)(document.querySelector("hls-video"))"""


@pytest.fixture
def firefox(tmp_path: Path) -> Iterator[Firefox]:
    with Firefox(tmp_path) as running:
        yield running


@pytest.mark.parametrize("kind", short_or_long(["live"], ["recording", "live"]))
def test_a_code_shows_the_picture_with_its_sound(
    gate: StackUnderTest, organiser: Organiser, firefox: Firefox, request: pytest.FixtureRequest, kind: str
) -> None:
    event_id = request.getfixturevalue("recording" if kind == "recording" else "live_event")
    firefox.go(gate.url)
    firefox.click("#code")
    firefox.type(organiser.tickets(event_id)[0].code)
    firefox.click("#watch")

    def moves() -> bool:
        time, frames, is_paused = firefox.run(PICTURE) or (0, 0, True)
        return time > 1 and frames > 20 and not is_paused

    eventually(moves, within=60, every=0.2, what="the picture moves")
    eventually(lambda: firefox.run("document.querySelector('#badge').dataset.kind") == kind, within=20)
    assert firefox.run("document.querySelector('hls-video').muted") is False
