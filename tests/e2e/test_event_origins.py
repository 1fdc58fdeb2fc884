"""Events with their own origin: each stream is fetched from its event's origin, from no other host, and only once."""

import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
import pytest

from tests.support.clients.people import Organiser
from tests.support.media.cached import cached_events
from tests.support.media.origin import Origin, Reply
from tests.support.media.streams import make_folder, put
from tests.support.services.edge import UNAVAILABLE, EdgeUnderTest
from tests.support.services.stack import StackUnderTest
from tests.support.waiting import eventually, stays

KNOWN_WITHIN_SECONDS = 20  # direct database changes are noticed within two seconds; the machine may be busy
EVENTS_AT_EACH = 20
NAMES = ("stream.m3u8", "1.ts", "low/1.ts", "init.mp4", "enc.key", "en.vtt")


@dataclass(frozen=True)
class Venue(EdgeUnderTest):
    """An edge with two more origins that events may name, and a stranger that none may. `origin` is the common one."""

    first: Origin
    second: Origin
    stranger: Origin
    organiser: Organiser
    folders: dict[str, str] = field(default_factory=dict)  # by event: the path of its stream at its origin
    waiting: dict[int, list[str]] = field(default_factory=dict)  # events, by the port of their origin

    def prepare(self) -> None:
        """Create events at both origins and wait until the edge knows them all."""
        for origin in (self.first, self.second):
            events = self.waiting[origin.port] = [self.new_event(origin) for _ in range(EVENTS_AT_EACH)]
        eventually(lambda: self.folders[events[-1]] in self.get(events[-1], "en.vtt").text, KNOWN_WITHIN_SECONDS)

    def new_event(self, origin: Origin, playlist: str = "") -> str:
        folder = origin.add_event()
        event = self.organiser.create_event(streamUrl=f"{origin.url}/{folder}/{playlist}")
        self.folders[event] = folder
        return event

    def event_at(self, origin: Origin) -> str:
        """Return an event whose stream is at this origin, and which no other test uses."""
        return self.waiting[origin.port].pop()

    def in_database(self, statement: str, *values: str | None) -> list[str]:
        """Execute a statement, also to write what the API does not allow."""
        with closing(sqlite3.connect(self.gate.home / "streamgate.db", timeout=30)) as database, database:
            return [row[0] for row in database.execute(statement, values)]

    def move(self, event: str, source: str | None) -> None:
        self.in_database("UPDATE event SET stream_url = ? WHERE id = ?", source, event)

    def other_requests(self, *origins: Origin) -> list[str]:
        """Return the requests to the other origins."""
        others = {self.origin.port, self.first.port, self.second.port, self.stranger.port} - {o.port for o in origins}
        every = (self.origin, self.first, self.second, self.stranger)
        return [asked.target for origin in every if origin.port in others for asked in origin.asked]


@pytest.fixture(scope="module", params=["local", "proxy"])
def edge(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Venue]:
    everybodys, first, second, stranger = origins = [Origin() for _ in range(4)]
    allowed = {"UPSTREAM_ALLOWED_HOSTS": f"127.0.0.1:{first.port}, 127.0.0.1:{second.port}"}
    proxy = {"STREAM_ROOT": "", "UPSTREAM_ORIGIN": everybodys.url} if request.param == "proxy" else {}
    with ExitStack() as running:
        for origin in origins:
            running.enter_context(origin)
        gate = running.enter_context(StackUnderTest(tmp_path_factory.mktemp("venue"), settings=allowed | proxy))
        organiser = running.enter_context(closing(Organiser(gate.url)))
        venue = Venue(gate, everybodys, first, second, stranger, organiser)
        venue.prepare()
        yield venue


def is_local(edge: Venue) -> bool:
    """Whether the edge has a stream folder and no common origin."""
    return "STREAM_ROOT=\n" not in (edge.gate.home / ".env").read_text()


def test_each_event_plays_from_its_own_origin_and_the_others_from_the_common_one(edge: Venue) -> None:
    at_first, at_second = edge.event_at(edge.first), edge.event_at(edge.second)
    shared = make_folder(edge.gate.streams).event_id if is_local(edge) else edge.origin.add_event()
    for origin in (edge.origin, edge.first, edge.second, edge.stranger):
        origin.asked.clear()
    for name in NAMES:
        for event, mark in ((at_first, edge.folders[at_first]), (at_second, edge.folders[at_second])):
            answer = edge.get(event, name)
            assert (answer.status_code, f"mark-of-{mark}" in answer.text) == (200, True), name
        if name != "low/1.ts" or not is_local(edge):
            assert f"mark-of-{shared}" in edge.get(shared, name).text
    assert edge.other_requests(edge.first, edge.second, edge.origin) == []
    folders = [edge.folders[at_first], edge.folders[at_second], shared]
    for origin, own in zip((edge.first, edge.second, edge.origin), folders, strict=True):
        # The control plane's own probes may request other events of the same origin, too.
        others = [folder for folder in folders if folder != own]
        assert not any(other in asked.target for asked in origin.asked for other in others)


def test_a_playlist_address_is_served_as_our_playlist_and_its_folder_has_the_rest(edge: Venue) -> None:
    event = edge.new_event(edge.first, "index.m3u8")
    folder = edge.folders[event]
    edge.first.put(f"/{folder}/index.m3u8", "#EXTM3U\n# the index\n")
    eventually(lambda: "the index" in edge.get(event, "stream.m3u8").text, KNOWN_WITHIN_SECONDS)
    assert f"mark-of-{folder}" in edge.get(event, "low/1.ts").text
    assert "the index" in edge.get(event, "index.m3u8").text
    assert edge.first.questions(f"/{folder}/stream.m3u8") == []


@pytest.mark.parametrize("edge", ["local"], indirect=True)
def test_a_local_file_takes_precedence(edge: Venue) -> None:
    event = edge.event_at(edge.first)
    folder = make_folder(edge.gate.streams, event)
    put(folder, "1.ts", "the local one")
    (folder.path / "init.mp4").unlink()
    assert edge.get(event, "1.ts").text == "the local one"
    assert edge.get(event, "init.mp4").text == f"mark-of-{edge.folders[event]}" * 50


@pytest.mark.parametrize("source", ["{stranger}/x/", "http://127.0.0.1/x/", "https://localhost:{first_port}/x/"])
def test_a_host_that_is_not_listed_is_never_requested_even_if_it_is_in_the_database(edge: Venue, source: str) -> None:
    event = edge.event_at(edge.first)
    edge.get(event, "1.ts").raise_for_status()
    edge.move(event, source.format(stranger=edge.stranger.url, first_port=edge.first.port))
    eventually(lambda: edge.get(event, "en.vtt").status_code == 502, KNOWN_WITHIN_SECONDS)
    for name in NAMES:
        answer = edge.get(event, name)
        assert (answer.status_code, answer.json()) == (502, UNAVAILABLE), name
        assert answer.headers["cache-control"] == "no-store"
    assert edge.stranger.asked == []
    assert not any("/x/" in asked.target for asked in edge.first.asked)


@pytest.mark.parametrize("source", ["{first}/../../x/", "http://127.0.0.1:{first_port}@localhost/x/", "nonsense"])
def test_an_invalid_address_is_ignored_even_if_it_is_in_the_database(edge: Venue, source: str) -> None:
    event = edge.event_at(edge.first)
    edge.get(event, "1.ts").raise_for_status()
    edge.move(event, source.format(first=edge.first.url, first_port=edge.first.port))
    eventually(lambda: edge.get(event, "1.ts").status_code == 404, KNOWN_WITHIN_SECONDS)
    assert not any("/x/" in asked.target for asked in edge.first.asked)


@pytest.mark.parametrize("header", ["X-Gate-Origin", "X_Gate_Origin", "Upstream-Http-X-Gate-Origin"])
def test_a_viewer_cannot_choose_an_origin(edge: Venue, header: str) -> None:
    event = edge.event_at(edge.second)
    answer = edge.get(event, "1.ts", **{header: f"{edge.stranger.url}/x/1.ts"})
    assert f"mark-of-{edge.folders[event]}" in answer.text
    assert edge.stranger.asked == []


def test_a_new_origin_takes_over_within_seconds_and_nothing_old_is_served_after_that(edge: Venue) -> None:
    event = edge.event_at(edge.first)
    before = edge.folders[event]
    for name in NAMES:
        assert f"mark-of-{before}" in edge.get(event, name).text
    after = edge.second.add_event()
    edge.move(event, f"{edge.second.url}/{after}/")
    eventually(lambda: after in edge.get(event, "1.ts").text, KNOWN_WITHIN_SECONDS)
    for name in NAMES:
        assert f"mark-of-{after}" in edge.get(event, name).text, name
    stays(lambda: after in edge.get(event, "stream.m3u8").text, during=2)


def test_an_event_whose_own_origin_is_removed_uses_the_common_one_again(edge: Venue) -> None:
    event = edge.event_at(edge.first)
    edge.get(event, "1.ts").raise_for_status()
    edge.move(event, None)
    eventually(lambda: edge.get(event, "1.ts").status_code == 404, KNOWN_WITHIN_SECONDS)
    assert edge.get(event, "1.ts").json() == {"error": "Not found"}


def test_two_hundred_viewers_of_an_uncached_segment_cost_the_origin_one_request(edge: Venue) -> None:
    event = edge.event_at(edge.first)
    path = f"/{edge.folders[event]}/1.ts"
    edge.first.answer(path, Reply(200, b"x" * 750_000, delay=1))
    answers = edge.together(event, "1.ts", 200)
    assert {(answer.status_code, len(answer.content)) for answer in answers} == {(200, 750_000)}
    assert len(edge.first.questions(path)) == 1


def test_no_data_of_the_viewer_reaches_the_origin(edge: Venue) -> None:
    event = edge.event_at(edge.second)
    token = edge.token(event)
    own = {"Cookie": "private=private-cookie", "User-Agent": "private-player", "X-Forwarded-For": "203.0.113.77"}
    edge.second.asked.clear()
    for name in ("stream.m3u8", "2.ts", "enc.key", "stream.m3u8?_HLS_msn=7&private=yes&_HLS_part=2"):
        edge.get(event, name, **own).raise_for_status()
        separator = "&" if "?" in name else "?"
        url = f"{edge.gate.url}/streams/{event}/{name}{separator}__token={token}"
        httpx2.get(url, headers=own, timeout=30).raise_for_status()
    queries = {asked.target.partition("?")[2] for asked in edge.second.asked}
    assert queries == {"", "_HLS_msn=7&_HLS_part=2"}
    for asked in edge.second.asked:
        assert not any(word in asked.raw for word in ("private", "203.0.113", token))
        assert asked.headers["host"] == f"127.0.0.1:{edge.second.port}"


def test_a_refused_viewer_never_reaches_the_origin(edge: Venue) -> None:
    event, other = edge.event_at(edge.first), edge.event_at(edge.second)
    url = f"{edge.gate.url}/streams/{event}/2.ts"
    assert httpx2.get(url, timeout=30).status_code == 401
    assert httpx2.get(url, headers={"Authorization": f"Bearer {edge.token(other)}"}, timeout=30).status_code == 403
    assert edge.first.questions(f"/{edge.folders[event]}/2.ts") == []


def test_a_range_is_served_from_cached_slices(edge: Venue) -> None:
    event = edge.event_at(edge.first)
    body = bytes(number % 251 for number in range(10_000_000))
    edge.first.put(f"/{edge.folders[event]}/1.ts", body)
    for first, last in ((0, 9), (8_388_000, 8_389_000), (0, 9)):
        answer = edge.get(event, "1.ts", Range=f"bytes={first}-{last}")
        assert (answer.status_code, answer.content) == (206, body[first : last + 1])
    asked = [question.headers.get("range") for question in edge.first.questions(f"/{edge.folders[event]}/1.ts")]
    assert len(asked) == len(set(asked)), "nothing was fetched twice"


def test_an_origin_outage_affects_only_its_own_events_and_cached_files_still_play(edge: Venue) -> None:
    event, other = edge.event_at(edge.first), edge.event_at(edge.second)
    for name in ("stream.m3u8", "1.ts"):
        edge.get(event, name).raise_for_status()
    edge.first.stop()
    try:
        assert edge.get(event, "1.ts").status_code == 200
        assert edge.get(event, "stream.m3u8").status_code == 200
        answer = edge.get(event, "2.ts")
        assert (answer.status_code, answer.json()) == (502, UNAVAILABLE)
        assert edge.get(other, "2.ts").status_code == 200
    finally:
        edge.first.start()
    eventually(lambda: edge.get(event, "2.ts").status_code == 200, within=15)


def test_the_purge_empties_the_events_cache_for_any_origin(edge: Venue) -> None:
    event, other = edge.event_at(edge.first), edge.event_at(edge.first)
    for name in ("1.ts", "stream.m3u8", "stream.m3u8?_HLS_msn=1"):
        edge.get(event, name).raise_for_status()
        edge.get(other, name).raise_for_status()
    key = {"X-Internal-Api-Key": edge.gate.sidecars[0].spec.env["INTERNAL_API_KEY"]}
    assert {event, other} <= cached_events(edge.gate.home)
    assert httpx2.delete(f"{edge.gate.url}/admin/cache/{event}", headers=key, timeout=30).status_code == 204
    assert {event, other} & cached_events(edge.gate.home, "1.ts") == {other}  # its playlist may be requested
    edge.get(event, "1.ts").raise_for_status()
    edge.get(other, "1.ts").raise_for_status()
    assert len(edge.first.questions(f"/{edge.folders[event]}/1.ts")) == 2
    assert len(edge.first.questions(f"/{edge.folders[other]}/1.ts")) == 1


def test_a_sidecar_restarted_without_the_control_plane_still_knows_the_origins(edge: Venue) -> None:
    event = edge.event_at(edge.second)
    [sidecar] = edge.gate.sidecars
    memory = Path(f"{sidecar.spec.env['SIDECAR_STATE_FILE']}.origins")
    eventually(lambda: memory.exists() and event in memory.read_text(), KNOWN_WITHIN_SECONDS)
    edge.gate.control_plane.stop()
    try:
        sidecar.kill()
        sidecar.start()
        sidecar.wait_ready()
        answer = edge.get(event, "2.ts")
        assert (answer.status_code, edge.folders[event] in answer.text) == (200, True)
    finally:
        edge.gate.control_plane.start()
        edge.gate.control_plane.wait_ready()
    moved = edge.first.add_event()
    edge.move(event, f"{edge.first.url}/{moved}/")
    eventually(lambda: moved in edge.get(event, "2.ts").text, within=40, what="the sidecar follows again")
