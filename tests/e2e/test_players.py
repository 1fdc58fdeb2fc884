"""Every player with every carrier it supports and every kind of stream: what plays and what is refused.

The documentation's table "Players" says the same. What a player cannot do is asserted, too, so that improvements are
noticed.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import httpx2
import pytest
from playwright.sync_api import Browser

from tests.support.browsers.players import Chromium, Ffmpeg, Player, PlayerResult, PlayerSource, Vlc, WebKitGtk
from tests.support.clients.people import Organiser, Viewer
from tests.support.media.contents import CONTENTS, asked_for, contents
from tests.support.services.stack import StackUnderTest
from tests.support.variants import short_or_long
from tests.support.waiting import eventually

CARRIERS: Final = {
    "hls.js": ("header", "cookie", "path", "query"),
    "chromium": ("cookie", "path", "query"),
    "webkit": ("cookie", "path", "query"),
    "vlc": ("path", "query"),
    "ffmpeg": ("header", "cookie", "path", "query"),
}
# No player passes a playlist's query on to its segments, and absolute /streams/... paths lose a path token.
REFUSED: Final = {"query": frozenset(CONTENTS), "path": frozenset({"rooted"})}
# Native HLS in browsers ignores a WebVTT rendition; ffmpeg decodes only the video here.
READS_SUBTITLES: Final = {"hls.js", "vlc"}
HUNG_UP: Final = 499  # nginx's status for a client that disconnected early
# Every run has each player, and each carrier with more than one of them.
SHORT: Final = [
    ("hls.js", "header"),
    ("hls.js", "path"),
    ("chromium", "cookie"),
    ("chromium", "query"),
    ("webkit", "cookie"),
    ("webkit", "path"),
    ("vlc", "path"),
    ("ffmpeg", "header"),
    ("ffmpeg", "query"),
]
RUNS: Final = short_or_long(SHORT, [(player, carrier) for player, carriers in CARRIERS.items() for carrier in carriers])
CASES: Final = [(*run, content) for run in RUNS for content in CONTENTS]


@dataclass(frozen=True)
class Line:
    """The access log's entry of one request."""

    name: str
    status: int


@dataclass(frozen=True)
class Run:
    """One player with one carrier: how far it got with each stream, and its requests."""

    seen: dict[str, PlayerResult]
    asked: dict[str, list[Line]]


class Theatre:
    """A gate with one event for each kind of stream."""

    def __init__(self, gate: StackUnderTest, organiser: Organiser) -> None:
        self.gate = gate
        self._organiser = organiser
        self.events = {name: organiser.create_event(title=name, maxDevices=10) for name in CONTENTS}

    def folder(self, content: str) -> Path:
        return self.gate.streams / self.events[content]

    def source(self, content: str, carrier: str) -> PlayerSource:
        """Redeem a new ticket and return the source for a player with that carrier."""
        viewer = Viewer(self.gate.url)
        [ticket] = self._organiser.tickets(self.events[content])
        assert viewer.redeem(ticket.code).is_success
        plain = f"{self.gate.url}{viewer.stream}"
        urls = {"query": f"{plain}?__token={viewer.token}"}
        url = viewer.post("/api/playback/tv").json()["url"] if carrier == "path" else urls.get(carrier, plain)
        viewer.close()
        return PlayerSource(url, carrier, ticket.code, viewer.token)

    def run(self, player: Player, carrier: str) -> Run:
        before = len(self._log())
        sources = {content: self.source(content, carrier) for content in CONTENTS}
        seen = player.play(sources, REFUSED.get(carrier, frozenset()))
        self._write_out_the_log()
        lines = self._log()[before:]
        return Run(seen, {content: self._about(content, source.code, lines) for content, source in sources.items()})

    def _about(self, content: str, code: str, lines: list[dict[str, Any]]) -> list[Line]:
        """Return the player's requests, without those of the control plane's reader."""
        prefix, tickets = f"/streams/{self.events[content]}/", {"", sha256(code.encode()).hexdigest()[:12]}
        ours = (line for line in lines if line["path"].startswith(prefix) and line["ticket"] in tickets)
        return [Line(line["path"], line["status"]) for line in ours if line["status"] != HUNG_UP]

    def _log(self) -> list[dict[str, Any]]:
        text = (self.gate.home / "log" / "access.jsonl").read_text(encoding="utf-8")
        return [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]

    def _write_out_the_log(self) -> None:
        """Wait for the buffered log: once our own marker line is written, everything before it is."""
        marks = len([line for line in self._log() if line["path"] == "/mark"])
        httpx2.get(f"{self.gate.url}/mark", timeout=30)
        eventually(lambda: len([line for line in self._log() if line["path"] == "/mark"]) > marks, within=15)


@pytest.fixture(scope="module")
def theatre(gate: StackUnderTest, organiser: Organiser) -> Iterator[Theatre]:
    house = Theatre(gate, organiser)
    with contents(house.folder):
        yield house


@pytest.fixture(scope="module")
def played(theatre: Theatre, browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], Run]:
    """A cached function that plays all streams with a player and a carrier, and returns the run."""
    portal, folder = theatre.gate.url, partial(tmp_path_factory.mktemp)
    make: dict[str, Callable[[], Player]] = {
        "hls.js": lambda: Chromium(browser, portal, with_hls_js=True),
        "chromium": lambda: Chromium(browser, portal, with_hls_js=False),
        "webkit": lambda: WebKitGtk(portal, folder("webkit")),
        "vlc": lambda: Vlc(folder("vlc")),
        "ffmpeg": lambda: Ffmpeg(folder("ffmpeg")),
    }
    runs: dict[tuple[str, str], Run] = {}

    def run(player: str, carrier: str) -> Run:
        if (player, carrier) not in runs:
            runs[player, carrier] = theatre.run(make[player](), carrier)
        return runs[player, carrier]

    return run


@pytest.mark.parametrize(("player", "carrier", "content"), CASES)
def test_a_player_plays_exactly_with_the_carriers_that_it_supports(
    played: Callable[[str, str], Run], player: str, carrier: str, content: str
) -> None:
    run = played(player, carrier)
    seen, asked = run.seen[content], run.asked[content]
    assert asked, "it never asked"
    if content in REFUSED.get(carrier, ()):
        assert not seen.is_playing
        assert asked[0].status in {200, 206}, "the URL that it was given is good"
        assert {line.status for line in asked if line.name != asked[0].name} == {401}
    else:
        assert seen.is_playing, (seen, asked)
        assert {line.status for line in asked} <= {200, 206}, asked
        assert any(line.name.endswith(asked_for(content)) for line in asked)
        has_read_words = any(line.name.endswith(".vtt") for line in asked)
        assert has_read_words == (content == "subtitles" and player in READS_SUBTITLES)
