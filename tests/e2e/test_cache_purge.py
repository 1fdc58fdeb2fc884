"""The segment cache of an edge: purged by event, and measured."""

from collections.abc import Iterator

import httpx2
import pytest

from tests.support.media.cached import cached_events
from tests.support.services.edge import EdgeUnderTest, edge_of_an_origin
from tests.support.waiting import eventually


@pytest.fixture(scope="module")
def edge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EdgeUnderTest]:
    with edge_of_an_origin(tmp_path_factory.mktemp("edge"), STREAM_ROOT="") as running:
        yield running


@pytest.fixture
def event(edge: EdgeUnderTest) -> str:
    return edge.origin.add_event()


def test_the_purge_empties_one_events_cache_and_no_other(edge: EdgeUnderTest, event: str) -> None:
    other = edge.origin.add_event()
    for name in ("1.ts", "2.ts", "stream.m3u8", "stream.m3u8?_HLS_msn=1"):
        edge.get(event, name).raise_for_status()
        edge.get(other, name).raise_for_status()
    url, key = f"{edge.gate.url}/admin/cache/{event}", edge.gate.sidecars[0].spec.env["INTERNAL_API_KEY"]
    assert httpx2.delete(url, timeout=30).status_code == 401
    assert httpx2.delete(url, headers={"X-Internal-Api-Key": "wrong"}, timeout=30).status_code == 401
    assert event in cached_events(edge.gate.home)
    assert httpx2.delete(url, headers={"X-Internal-Api-Key": key}, timeout=30).status_code == 204
    assert event not in cached_events(edge.gate.home)
    assert other in cached_events(edge.gate.home)
    edge.get(event, "1.ts").raise_for_status()
    edge.get(other, "1.ts").raise_for_status()
    assert len(edge.origin.questions(f"/{event}/1.ts")) == 2
    assert len(edge.origin.questions(f"/{other}/1.ts")) == 1
    assert httpx2.delete(url, headers={"X-Internal-Api-Key": key}, timeout=30).status_code == 204
    assert httpx2.delete(f"{url}x", headers={"X-Internal-Api-Key": key}, timeout=30).status_code == 404


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "HEAD"])
def test_the_purge_has_no_other_method_and_the_rest_of_admin_goes_to_the_console(
    edge: EdgeUnderTest, method: str
) -> None:
    assert httpx2.request(method, f"{edge.gate.url}/admin/cache/{'0' * 8}", timeout=30).status_code == 405
    assert httpx2.get(f"{edge.gate.url}/admin/login", timeout=30).headers["content-type"].startswith("text/html")


def test_health_reports_the_size_of_the_cache(edge: EdgeUnderTest, event: str) -> None:
    edge.origin.put(f"/{event}/1.ts", b"x" * 3_000_000)
    edge.get(event, "1.ts").raise_for_status()

    def figures() -> tuple[int, int]:
        body = httpx2.get(f"{edge.gate.url}/health", timeout=30).json()
        return body["segmentCacheEvents"], body["segmentCacheSizeMB"]

    eventually(lambda: min(figures()) >= 1 and figures()[1] >= 3, within=40, what="the new file is counted")
