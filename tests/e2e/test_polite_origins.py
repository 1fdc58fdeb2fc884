"""Origins that want a secret header or a signed query: they get it, nobody else, and the operator hears the truth."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.edge import UNAVAILABLE, Edge
from tests.support.leaks import remember
from tests.support.origin import Origin, Reply
from tests.support.people import Organiser
from tests.support.polite_origin import like_mediamtx, wants_query
from tests.support.stack import StackUnderTest
from tests.support.waiting import eventually

SECRET, SIGNATURE = "bearer-secret-of-the-origin", "signature-of-the-origin"
NAMES = ("stream.m3u8", "1.ts", "enc.key", "stream.m3u8?_HLS_msn=4")


@pytest.fixture(scope="module")
def edge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Edge]:
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
    gate = StackUnderTest(folder / "home", settings=settings)
    try:
        origin.start()
        gate.start()
        yield Edge(gate, origin)
    finally:
        gate.stop()
        origin.stop()


@pytest.fixture(scope="module")
def organiser(edge: Edge) -> Iterator[Organiser]:
    one = Organiser(edge.gate.url)
    yield one
    one.close()


def test_an_origin_like_mediamtx_plays_and_one_that_wants_a_signed_query_too(edge: Edge) -> None:
    event = edge.origin.add_event()
    like_mediamtx(edge.origin, SECRET)
    wants_query(edge.origin, f"key={SIGNATURE}")
    for name in NAMES:
        answer = edge.get(event, name)
        assert (answer.status_code, f"mark-of-{event}" in answer.text) == (200, True), name
    targets = {asked.target for asked in edge.origin.asked if "_HLS_msn" in asked.target}
    assert {target.partition("?")[2] for target in targets} == {f"key={SIGNATURE}&_HLS_msn=4"}


def test_what_the_origin_is_shown_stands_nowhere_else(edge: Edge) -> None:
    event = edge.origin.add_event()
    edge.origin.answer(f"/{event}/2.ts", Reply(302, b"", {"Location": f"{edge.origin.url}/x?key={SIGNATURE}"}))
    for name in (*NAMES, "2.ts", "9.ts"):
        answer = edge.get(event, name)
        assert SIGNATURE not in f"{answer.headers}{answer.text}"
        assert SECRET not in f"{answer.headers}{answer.text}"
    home = edge.gate.home
    for base, _, names in os.walk(home):
        for file in (Path(base) / name for name in names if name != ".env"):
            if file.is_file():
                assert not re.search(f"{SECRET}|{SIGNATURE}".encode(), file.read_bytes()), file
    for service in (edge.gate.control_plane, *edge.gate.sidecars, edge.gate.nginx):
        assert SIGNATURE not in "".join(service.spec.env.values()), "nobody gets a secret that is not theirs"


def test_the_origin_of_an_event_of_its_own_is_shown_nothing_of_it(tmp_path: Path) -> None:
    common, own = Origin(), Origin()
    settings = {
        "UPSTREAM_ORIGIN": common.url,
        "UPSTREAM_ORIGIN_HEADER": f"X-Key: {SECRET}",
        "UPSTREAM_ORIGIN_QUERY": f"key={SIGNATURE}",
        "UPSTREAM_ALLOWED_HOSTS": f"127.0.0.1:{own.port}",
    }
    gate = StackUnderTest(tmp_path / "home", settings=settings)
    try:
        for origin in (common, own):
            origin.start()
        gate.start()
        organiser = Organiser(gate.url)
        event = organiser.create_event(streamUrl=f"{own.url}/{own.add_event()}/")
        organiser.close()
        edge = Edge(gate, own)
        eventually(lambda: edge.get(event, "1.ts").status_code == 200, within=15)
    finally:
        gate.stop()
        for origin in (common, own):
            origin.stop()
    assert own.asked
    assert not any(secret in asked.raw for asked in own.asked for secret in (SECRET, SIGNATURE))


@pytest.mark.parametrize(
    ("reply", "says"),
    [
        (Reply(302, b"", {"Location": "index.m3u8?cookieCheck=1"}), "302 to index.m3u8?cookieCheck=..."),
        (Reply(403, b"no"), "403"),
        (Reply(200, b"x", {"Content-Encoding": "br"}), "packed in a way that was not asked for (br)"),
    ],
)
def test_who_looks_for_the_operator_is_told_what_the_origin_answered_and_viewers_are_not(
    edge: Edge, organiser: Organiser, reply: Reply, says: str
) -> None:
    event = edge.origin.add_event()
    edge.origin.answer(f"/{event}/stream.m3u8", reply)
    assert says in organiser.test_stream(organiser.create_event(id=event))
    answer = edge.get(event, "stream.m3u8")
    assert (answer.status_code, answer.json()) == (502, UNAVAILABLE)
    assert "x-origin-answer" not in answer.headers
    assert says in edge.gate.fetchers[0].printed()


def test_an_origin_that_is_down_is_told_from_one_that_refuses(edge: Edge, organiser: Organiser) -> None:
    event = organiser.create_event(id=edge.origin.add_event())
    edge.origin.stop()
    try:
        assert "connection refused" in organiser.test_stream(event)
    finally:
        edge.origin.start()
