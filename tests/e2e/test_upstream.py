"""Streams from an origin: fetched once for all viewers, cached, and still served during outages."""

import time
from collections.abc import Iterator
from itertools import pairwise

import httpx2
import pytest

from tests.support.media.cached import cached_files
from tests.support.media.origin import Reply, growing_playlist
from tests.support.services.edge import UNAVAILABLE, EdgeUnderTest, edge_of_an_origin
from tests.support.waiting import eventually

FETCHED_WITHIN_SECONDS = 1.0  # for the next playlist on a busy machine; the previous one is served meanwhile


@pytest.fixture(scope="module")
def edge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EdgeUnderTest]:
    with edge_of_an_origin(tmp_path_factory.mktemp("edge"), STREAM_ROOT="") as running:
        yield running


@pytest.fixture
def event(edge: EdgeUnderTest) -> str:
    return edge.origin.add_event()


def test_every_file_of_a_stream_comes_from_the_origin(edge: EdgeUnderTest, event: str) -> None:
    for name in ("stream.m3u8", "1.ts", "low/1.ts", "init.mp4", "enc.key", "en.vtt"):
        answer = edge.get(event, name)
        assert answer.status_code == 200, name
        assert f"mark-of-{event}" in answer.text


def test_two_hundred_viewers_of_an_uncached_segment_cost_the_origin_one_request(
    edge: EdgeUnderTest, event: str
) -> None:
    edge.origin.answer(f"/{event}/1.ts", Reply(200, b"x" * 750_000, delay=1))
    answers = edge.together(event, "1.ts", 200)
    assert {answer.status_code for answer in answers} == {200}
    assert {len(answer.content) for answer in answers} == {750_000}
    assert len(edge.origin.questions(f"/{event}/1.ts")) == 1
    assert edge.get(event, "1.ts").status_code == 200
    assert len(edge.origin.questions(f"/{event}/1.ts")) == 1


def test_a_live_playlist_costs_the_origin_one_request_a_second_and_is_never_older_than_two(
    edge: EdgeUnderTest, event: str
) -> None:
    edge.origin.answer(f"/{event}/stream.m3u8", growing_playlist())
    answers = edge.on_and_on(event, "stream.m3u8", viewers=100, seconds=6)
    assert {answer.status_code for _, answer in answers} == {200}
    assert len(answers) >= 100
    asked = [question.at for question in edge.origin.questions(f"/{event}/stream.m3u8")]
    assert len(asked) >= 2
    assert min(later - earlier for earlier, later in pairwise(asked)) > 0.9, "a second lies between"
    ages = [asked_at - made_at(answer) for asked_at, answer in answers]
    assert max(ages) < 2 + FETCHED_WITHIN_SECONDS, "when it was asked for"


def test_the_first_request_after_a_pause_gets_a_new_playlist(edge: EdgeUnderTest, event: str) -> None:
    edge.origin.answer(f"/{event}/stream.m3u8", growing_playlist())
    before = made_at(edge.get(event, "stream.m3u8"))
    eventually(lambda: time.time() > before + 4, what="the pause is over")
    assert made_at(edge.get(event, "stream.m3u8")) > before + 4


def made_at(playlist: httpx2.Response) -> float:
    return int(playlist.text.rsplit(":", 1)[1]) / 1000


def test_a_request_without_a_token_never_reaches_the_origin(edge: EdgeUnderTest, event: str) -> None:
    other = edge.origin.add_event()
    url = f"{edge.gate.url}/streams/{event}/1.ts"
    assert httpx2.get(url, timeout=30).status_code == 401
    assert httpx2.get(url, headers={"Authorization": f"Bearer {edge.token(other)}"}, timeout=30).status_code == 403
    assert httpx2.get(f"{url}?__token=x", timeout=30).status_code == 401
    assert httpx2.options(url, timeout=30).status_code == 204
    assert httpx2.post(url, timeout=30).status_code == 405
    assert edge.origin.questions(f"/{event}/1.ts") == []


def test_no_data_of_the_viewer_reaches_the_origin(edge: EdgeUnderTest, event: str) -> None:
    token = edge.token(event)
    path = f"/streams/{event}"
    own = {
        "Cookie": f"sg_playback={token}; private=private-cookie",
        "User-Agent": "private-player",
        "Referer": "http://private.example/",
        "Origin": "http://private.example",
        "X-Forwarded-For": "203.0.113.77",
        "X-Real-IP": "203.0.113.77",
        "Accept-Language": "private-language",
        "X-Private": "private-header",
        "If-None-Match": '"private-etag"',
        "Range": "bytes=3-5",
    }
    for name in ("stream.m3u8", "1.ts", "enc.key"):
        for target in (f"{path}/{name}", f"/t/{token}{path}/{name}", f"{path}/{name}?__token={token}&private=yes"):
            assert httpx2.get(edge.gate.url + target, headers=own, timeout=30).status_code in {200, 206}
    httpx2.request(
        "GET", f"{edge.gate.url}{path}/2.ts", headers=own, content=b"private-body", timeout=30
    ).raise_for_status()
    seen = [asked for asked in edge.origin.asked if event in asked.target]
    assert len(seen) >= 5
    for asked in seen:
        assert "private" not in asked.raw
        assert "203.0.113" not in asked.raw
        assert token not in asked.raw
        assert "?" not in asked.target
        allowed = {"host", "connection", "user-agent", "accept-encoding", "range"}
        assert set(asked.headers) <= allowed
        assert asked.headers.get("range", "bytes=0-").startswith("bytes=0-")


def test_low_latency_parameters_reach_the_origin_normalized_and_alone(edge: EdgeUnderTest, event: str) -> None:
    token = edge.token(event)
    for query in (
        f"?_HLS_msn=7&_HLS_part=2&__token={token}",
        "?_HLS_part=2&x=1&_HLS_msn=7",
        "?_HLS_msn=7&_HLS_part=2",
    ):
        assert edge.get(event, f"stream.m3u8{query}").status_code == 200
    [first, *more] = edge.origin.questions(f"/{event}/stream.m3u8")
    assert first.target.endswith("/stream.m3u8?_HLS_msn=7&_HLS_part=2")
    assert {asked.target for asked in more} <= {first.target}
    assert edge.get(event, "stream.m3u8?_HLS_skip=v2&_HLS_msn=8").status_code == 200
    assert edge.origin.questions(f"/{event}/stream.m3u8")[-1].target.endswith("?_HLS_msn=8&_HLS_skip=v2")


@pytest.mark.parametrize("query", ["?_HLS_msn=x", "?_HLS_msn=1%262", "?a_HLS_msn=1", "?_hls_msn=1", "?x=_HLS_msn=1"])
def test_other_query_parameters_never_reach_the_origin(edge: EdgeUnderTest, event: str, query: str) -> None:
    assert edge.get(event, f"stream.m3u8{query}").status_code == 200
    [asked] = edge.origin.questions(f"/{event}/stream.m3u8")
    assert asked.target.endswith("/stream.m3u8")


def test_a_blocking_playlist_is_delayed_by_the_origin_without_one_request_per_viewer(
    edge: EdgeUnderTest, event: str
) -> None:
    edge.origin.answer(f"/{event}/stream.m3u8", Reply(200, b"#EXTM3U\n", delay=6))
    answers = edge.together(event, "stream.m3u8?_HLS_msn=9", 20)
    assert {answer.status_code for answer in answers} == {200}
    assert len(edge.origin.questions(f"/{event}/stream.m3u8")) == 1


def test_a_range_is_served_from_the_cached_file(edge: EdgeUnderTest, event: str) -> None:
    body = bytes(number % 251 for number in range(20_000_000))
    edge.origin.put(f"/{event}/1.ts", body)
    for first, last in ((0, 9), (19_000_000, 19_999_999), (8_388_000, 8_389_000)):
        answer = edge.get(event, "1.ts", Range=f"bytes={first}-{last}")
        assert (answer.status_code, answer.content) == (206, body[first : last + 1])
        assert answer.headers["content-range"] == f"bytes {first}-{last}/{len(body)}"
    assert edge.get(event, "1.ts").content == body
    assert edge.get(event, "1.ts", Range="bytes=99000000-").status_code == 416
    asked = [question.headers.get("range") for question in edge.origin.questions(f"/{event}/1.ts")]
    assert len(asked) == len(set(asked)), "nothing was fetched twice"
    assert edge.get(event, "1.ts", Range="bytes=0-1,3-4").status_code == 200, "one range at a time"


def test_an_origin_without_ranges_works_as_well(edge: EdgeUnderTest, event: str) -> None:
    edge.origin.ranges = False
    try:
        answer = edge.get(event, "1.ts", Range="bytes=5-9")
        assert (answer.status_code, answer.text) == (206, f"mark-of-{event}"[5:10])
    finally:
        edge.origin.ranges = True


def test_an_upper_case_extension_is_fetched_and_cached_with_its_type(edge: EdgeUnderTest, event: str) -> None:
    for name, kept in (("LOW.M3U8", "no-cache"), ("2.TS", "private, max-age=600"), ("ENC2.KEY", "no-store")):
        edge.origin.put(f"/{event}/{name}", f"mark-of-{event}-{name}")
        for _ in range(2):
            answer = edge.get(event, name)
            assert (answer.status_code, answer.headers["cache-control"]) == (200, kept), name
    assert [len(edge.origin.questions(f"/{event}/{name}")) for name in ("2.TS", "ENC2.KEY")] == [1, 2]
    assert "etag" not in edge.get(event, "LOW.M3U8").headers


def test_keys_are_requested_each_time_and_never_cached(edge: EdgeUnderTest, event: str) -> None:
    for _ in range(3):
        assert edge.get(event, "enc.key").headers["cache-control"] == "no-store"
    assert len(edge.origin.questions(f"/{event}/enc.key")) == 3
    kept = cached_files(edge.gate.home)
    assert not any(b"enc.key" in content for content in kept)


def test_head_answers_what_get_would(edge: EdgeUnderTest, event: str) -> None:
    edge.origin.put(f"/{event}/stream.m3u8", "#EXTM3U\n", **{"Last-Modified": "Fri, 20 Nov 2026 10:00:00 GMT"})
    playlist = edge.get(event, "stream.m3u8", method="HEAD")
    assert playlist.headers["last-modified"] == "Fri, 20 Nov 2026 10:00:00 GMT"
    assert "etag" not in playlist.headers
    segment = edge.get(event, "1.ts", method="HEAD")
    assert int(segment.headers["content-length"]) == len(edge.get(event, "1.ts").content)
    assert "etag" in segment.headers
    assert edge.get(event, "1.ts", **{"If-None-Match": segment.headers["etag"]}).status_code == 304


def test_playlists_are_gzipped_with_any_media_type_of_the_origin(edge: EdgeUnderTest, event: str) -> None:
    answer = edge.get(event, "stream.m3u8", **{"Accept-Encoding": "gzip"})
    assert answer.headers["content-encoding"] == "gzip"
    assert "Accept-Encoding" in answer.headers["vary"]
    assert "content-encoding" not in edge.get(event, "stream.m3u8", **{"Accept-Encoding": "identity"}).headers


def test_the_origins_own_headers_are_not_passed_on(edge: EdgeUnderTest, event: str) -> None:
    opinions = {
        "Set-Cookie": "sg_playback=stolen; Path=/",
        "Cache-Control": "no-store, max-age=0",
        "Expires": "Thu, 01 Jan 1970 00:00:00 GMT",
        "Vary": "*",
        "X-Accel-Redirect": "/internal/health",
        "X-Accel-Expires": "0",
        "Access-Control-Allow-Origin": "*",
        "Access-Control-Allow-Credentials": "true",
        "Content-Type": "text/html",
    }
    edge.origin.put(f"/{event}/1.ts", "hello", **opinions)
    for _ in range(2):
        answer = edge.get(event, "1.ts")
        assert (answer.status_code, answer.text) == (200, "hello")
        assert answer.headers["cache-control"] == "private, max-age=600"
        assert answer.headers["vary"] == "Origin"
        assert answer.headers["content-security-policy"] == "default-src 'none'; sandbox"
        hidden = {"set-cookie", "expires", "access-control-allow-origin", "access-control-allow-credentials"}
        assert not hidden & set(answer.headers)
    assert len(edge.origin.questions(f"/{event}/1.ts")) == 1, "kept, whatever the origin says"


@pytest.mark.parametrize("name", ["1.ts", "stream.m3u8", "enc.key"])
@pytest.mark.parametrize("status", [301, 302, 400, 401, 403, 405, 418, 429, 500, 502, 503, 504])
def test_an_origin_that_refuses_is_never_mistaken_for_the_gate(
    edge: EdgeUnderTest, event: str, name: str, status: int
) -> None:
    reply = Reply(status, b"the origin's own words", {"Location": f"{edge.origin.url}/elsewhere.ts"})
    edge.origin.answer(f"/{event}/{name}", reply)
    answer = edge.get(event, name)
    assert (answer.status_code, answer.json()) == (502, UNAVAILABLE)
    assert answer.headers["cache-control"] == "no-store"
    assert "location" not in answer.headers
    assert edge.origin.questions("/elsewhere.ts") == []


@pytest.mark.parametrize("name", ["9.ts", "9.m3u8", "9.key"])
@pytest.mark.parametrize("status", [404, 410])
def test_a_file_that_the_origin_does_not_have_is_404(edge: EdgeUnderTest, event: str, name: str, status: int) -> None:
    edge.origin.answer(f"/{event}/{name}", Reply(status, b"the origin's own words"))
    answer = edge.get(event, name)
    assert (answer.status_code, answer.json()) == (404, {"error": "Not found"})


def test_many_requests_for_a_missing_file_are_answered_at_once_and_served_once_it_exists(
    edge: EdgeUnderTest, event: str
) -> None:
    assert {answer.status_code for answer in edge.together(event, "3.ts", 100)} == {404}
    assert len(edge.origin.questions(f"/{event}/3.ts")) <= 5
    edge.origin.put(f"/{event}/3.ts", "here it is")
    eventually(lambda: edge.get(event, "3.ts").status_code == 200, within=15)
