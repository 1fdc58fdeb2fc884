"""The limits of the segment cache: by size with least recently used files first, and by age."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.media.cached import cached_files
from tests.support.media.origin import Origin
from tests.support.services.edge import EdgeUnderTest
from tests.support.services.stack import StackUnderTest
from tests.support.waiting import eventually

MEGABYTE = 1_000_000
MOST_MEGABYTES = 8
MANAGER_SECONDS = 30  # nginx's cache manager runs every ten seconds unless it is busy
StartEdge = Callable[..., EdgeUnderTest]


@pytest.fixture
def start_edge(tmp_path: Path) -> Iterator[StartEdge]:
    """A function that starts an edge with smaller cache limits than settings allow (gigabytes and hours)."""
    origin = Origin()
    gate = StackUnderTest(tmp_path / "edge", settings={"STREAM_ROOT": "", "UPSTREAM_ORIGIN": origin.url})

    def start(**bounds: str) -> EdgeUnderTest:
        site = gate.home / "run" / "nginx" / "site" / "origin.conf"
        text = site.read_text()
        for before, after in {"max_size=50g": bounds.get("size", ""), "inactive=72h": bounds.get("age", "")}.items():
            assert text.count(before) == 1
            text = text.replace(before, after or before)
        site.write_text(text)
        origin.start()
        gate.start()
        return EdgeUnderTest(gate, origin)

    try:
        yield start
    finally:
        gate.stop()
        origin.stop()


def files(edge: EdgeUnderTest) -> list[bytes]:
    return cached_files(edge.gate.home, "segments")


def test_a_full_cache_evicts_the_least_recently_used_files(start_edge: StartEdge) -> None:
    edge = start_edge(size=f"max_size={MOST_MEGABYTES}m")
    event = edge.origin.add_event()
    for number in range(2 * MOST_MEGABYTES):
        edge.origin.put(f"/{event}/{number}.ts", bytes([number]) * MEGABYTE)
        edge.get(event, f"{number}.ts").raise_for_status()
        edge.get(event, "0.ts").raise_for_status()
    eventually(lambda: len(files(edge)) <= MOST_MEGABYTES, within=MANAGER_SECONDS, what="the cache is within its size")
    for name in ("0.ts", f"{2 * MOST_MEGABYTES - 1}.ts"):
        assert edge.get(event, name).status_code == 200
        assert len(edge.origin.questions(f"/{event}/{name}")) == 1, f"{name} was asked for lately"
    assert edge.get(event, "1.ts").content == bytes([1]) * MEGABYTE
    assert len(edge.origin.questions(f"/{event}/1.ts")) == 2, "1.ts was asked for first, and never again"


def test_unused_files_are_removed_from_the_cache_after_their_time(start_edge: StartEdge) -> None:
    edge = start_edge(age="inactive=5s")
    event = edge.origin.add_event()
    edge.get(event, "1.ts").raise_for_status()
    assert files(edge)
    eventually(lambda: not files(edge), within=MANAGER_SECONDS, what="the file has gone")
    assert edge.get(event, "1.ts").status_code == 200
    assert len(edge.origin.questions(f"/{event}/1.ts")) == 2
