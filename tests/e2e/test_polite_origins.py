"""Origins that require a secret header or a signed query: only they get it, and operators see their real answers."""

import re
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass

import pytest

from tests.support.clients.people import Organiser
from tests.support.leaks import remember
from tests.support.media.cached import cached_files, files_in
from tests.support.media.origin import Origin, Reply
from tests.support.media.polite_origin import like_mediamtx, wants_query
from tests.support.services.edge import UNAVAILABLE, EdgeUnderTest
from tests.support.services.stack import StackUnderTest
from tests.support.waiting import eventually

SECRET, SIGNATURE = "bearer-secret-of-the-origin", "signature-of-the-origin"
NAMES = ("stream.m3u8", "1.ts", "enc.key", "stream.m3u8?_HLS_msn=4")


@pytest.fixture(scope="module")
def edge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EdgeUnderTest]:
    folder = tmp_path_factory.mktemp("polite")
    remember(SECRET, SIGNATURE)
    header = folder / "header"
    header.write_text(f"Authorization: Bearer {SECRET}\n")
    origin = Origin()
    settings = {
        "STREAM_ROOT": "",
        "UPSTREAM_ORIGIN": origin.url,
        "UPSTREAM_ORIGIN_HEADER_FILE": str(header),
        "UPSTREAM_ORIGIN_QUERY": f"key={SIGNATURE}",
    }
    with origin, StackUnderTest(folder / "home", settings=settings) as gate:
        yield EdgeUnderTest(gate, origin)


@pytest.fixture(scope="module")
def organiser(edge: EdgeUnderTest) -> Iterator[Organiser]:
    one = Organiser(edge.gate.url)
    yield one
    one.close()


def test_an_origin_like_mediamtx_plays_and_one_that_wants_a_signed_query_too(edge: EdgeUnderTest) -> None:
    event = edge.origin.add_event()
    like_mediamtx(edge.origin, SECRET)
    wants_query(edge.origin, f"key={SIGNATURE}")
    for name in NAMES:
        answer = edge.get(event, name)
        assert (answer.status_code, f"mark-of-{event}" in answer.text) == (200, True), name
    targets = {asked.target for asked in edge.origin.asked if "_HLS_msn" in asked.target}
    assert {target.partition("?")[2] for target in targets} == {f"key={SIGNATURE}&_HLS_msn=4"}


def test_the_origins_credentials_appear_nowhere_else(edge: EdgeUnderTest) -> None:
    event = edge.origin.add_event()
    edge.origin.answer(f"/{event}/2.ts", Reply(302, b"", {"Location": f"{edge.origin.url}/x?key={SIGNATURE}"}))
    for name in (*NAMES, "2.ts", "9.ts"):
        answer = edge.get(event, name)
        assert SIGNATURE not in f"{answer.headers}{answer.text}"
        assert SECRET not in f"{answer.headers}{answer.text}"
    for file, content in files_in(edge.gate.home):
        assert file.name == ".env" or not re.search(f"{SECRET}|{SIGNATURE}".encode(), content), file
    for service in (edge.gate.control_plane, *edge.gate.sidecars, edge.gate.nginx):
        assert SIGNATURE not in "".join(service.spec.env.values()), "nobody gets a secret that is not theirs"


@dataclass(frozen=True)
class PoliteVenue(EdgeUnderTest):
    """An edge with credentials for its common `origin`, and two origins that events may name."""

    first: Origin
    second: Origin
    organiser: Organiser

    def event_at(self, origin: Origin) -> str:
        return self.organiser.create_event(streamUrl=f"{origin.url}/{origin.add_event()}/")


@pytest.fixture(scope="module")
def venue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PoliteVenue]:
    common, first, second = Origin(), Origin(), Origin()
    settings = {
        "UPSTREAM_ORIGIN": common.url,
        "UPSTREAM_ORIGIN_HEADER": f"X-Key: {SECRET}",
        "UPSTREAM_ORIGIN_QUERY": f"key={SIGNATURE}",
        "UPSTREAM_ALLOWED_HOSTS": f"127.0.0.1:{first.port}, 127.0.0.1:{second.port}",
    }
    gate = StackUnderTest(tmp_path_factory.mktemp("venue") / "home", settings=settings)
    with common, first, second, gate, closing(Organiser(gate.url)) as organiser:
        yield PoliteVenue(gate, common, first, second, organiser)


def test_an_events_own_origin_gets_no_credentials_of_the_common_one(venue: PoliteVenue) -> None:
    event = venue.event_at(venue.second)
    eventually(lambda: venue.get(event, "1.ts").status_code == 200, within=20)
    assert venue.second.asked
    assert not any(secret in asked.raw for asked in venue.second.asked for secret in (SECRET, SIGNATURE))


def test_an_events_own_mediamtx_origin_plays_once_its_credentials_are_set(venue: PoliteVenue) -> None:
    own = "secret-of-one-event-alone"
    event, other = venue.event_at(venue.first), venue.event_at(venue.second)
    like_mediamtx(venue.first, own)
    eventually(lambda: venue.get(event, "stream.m3u8").status_code == 502, within=20, what="the edge knows the event")
    eventually(lambda: "302 to " in venue.organiser.test_stream(event), within=20, every=1.2)
    shown = venue.organiser.show_origin(event, header=f"Authorization: Bearer {own}", query="of=this-event")
    assert own not in str(shown)
    assert (shown["hasOriginHeader"], shown["hasOriginQuery"]) == (True, True)
    eventually(lambda: venue.get(event, "stream.m3u8").status_code == 200, within=20)
    for name in NAMES:
        assert venue.get(event, name).status_code == 200, name
    eventually(lambda: venue.get(other, "1.ts").status_code == 200, within=20)
    assert not any(own in asked.raw for origin in (venue.origin, venue.second) for asked in origin.asked)
    queries = {asked.target.partition("?")[2] for asked in venue.first.asked if own in asked.raw}
    assert queries == {"of=this-event", "of=this-event&_HLS_msn=4"}
    assert own.encode() not in (venue.gate.home / "streamgate.db").read_bytes()
    kept = cached_files(venue.gate.home)
    assert kept
    assert not any(own.encode() in content or b"of=this-event" in content for content in kept)


@pytest.mark.parametrize(
    ("reply", "says"),
    [
        (Reply(302, b"", {"Location": "index.m3u8?cookieCheck=1"}), "302 to index.m3u8?cookieCheck=..."),
        (Reply(403, b"no"), "403"),
        (Reply(200, b"x", {"Content-Encoding": "br"}), "packed in a way that was not asked for (br)"),
    ],
)
def test_the_control_planes_reader_sees_what_the_origin_answered_and_viewers_do_not(
    edge: EdgeUnderTest, organiser: Organiser, reply: Reply, says: str
) -> None:
    event = edge.origin.add_event()
    edge.origin.answer(f"/{event}/stream.m3u8", reply)
    assert says in organiser.test_stream(organiser.create_event(id=event))
    answer = edge.get(event, "stream.m3u8")
    assert (answer.status_code, answer.json()) == (502, UNAVAILABLE)
    assert "x-origin-answer" not in answer.headers
    assert says in edge.gate.fetchers[0].printed()


def test_an_origin_that_is_down_is_distinguished_from_one_that_refuses(
    edge: EdgeUnderTest, organiser: Organiser
) -> None:
    event = organiser.create_event(id=edge.origin.add_event())
    edge.origin.stop()
    try:
        assert "connection refused" in organiser.test_stream(event)
    finally:
        edge.origin.start()
