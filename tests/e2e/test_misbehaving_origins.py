"""A misbehaving origin: its responses are bounded, and its headers never act for the portal."""

import gzip
import threading
import time
from collections.abc import Iterator
from uuid import uuid4

import httpx2
import pytest

from tests.support.clients.fetching import fetch_together
from tests.support.data.tokens import Minter
from tests.support.media.cached import cached_files
from tests.support.media.runaway import HEAD, RunawayOrigin, says
from tests.support.services.edge import UNAVAILABLE
from tests.support.services.stack import StackUnderTest
from tests.support.waiting import eventually

MEGABYTE = 1024 * 1024
CHUNK = b"40000\r\n" + b"x" * 0x40000 + b"\r\n"
# Headers that browsers act upon, and unknown ones.
LOUD = {
    "NEL": '{"report_to":"x","max_age":1000,"success_fraction":1.0}',
    "Report-To": '{"group":"x","max_age":1000,"endpoints":[{"url":"https://collector.example/"}]}',
    "Reporting-Endpoints": 'default="https://collector.example/"',
    "Content-Security-Policy": "script-src *",
    "Content-Security-Policy-Report-Only": "default-src 'none'; report-uri https://collector.example/",
    "Document-Policy-Report-Only": "x;report-to=default",
    "Permissions-Policy": "camera=*",
    "Location": "https://elsewhere.example/",
    "Content-Location": "https://elsewhere.example/",
    "WWW-Authenticate": 'Basic realm="StreamGate"',
    "Authentication-Info": "x=y",
    "Service-Worker-Allowed": "/",
    "SourceMap": "https://collector.example/map",
    "X-SourceMap": "https://collector.example/map",
    "Link": '<https://collector.example/x>; rel="preload"; as="fetch"',
    "Clear-Site-Data": '"*"',
    "Set-Cookie": "sg_playback=stolen; Path=/",
    "Set-Login": "logged-out",
    "Origin-Trial": "Abc",
    "Origin-Agent-Cluster": "?1",
    "Speculation-Rules": '"https://collector.example/rules.json"',
    "Accept-CH": "Sec-CH-UA-Model",
    "Critical-CH": "Sec-CH-UA-Model",
    "Supports-Loading-Mode": "credentialed-prerender",
    "No-Vary-Search": "params",
    "X-Frame-Options": "ALLOWALL",
    "X-Content-Type-Options": "none",
    "Cross-Origin-Resource-Policy": "cross-origin",
    "Cross-Origin-Opener-Policy": "unsafe-none",
    "Access-Control-Allow-Origin": "*",
    "Timing-Allow-Origin": "*",
    "Server-Timing": "x;dur=1",
    "Strict-Transport-Security": "max-age=99999999",
    "Alt-Svc": 'h3=":443"',
    "Refresh": "0; url=https://elsewhere.example/",
    "Content-Disposition": "attachment; filename=x.exe",
    "Content-Language": "xx",
    "Use-As-Dictionary": 'match="/*"',
    "Activate-Storage-Access": "load",
    "Attribution-Reporting-Register-Source": "{}",
    "Observe-Browsing-Topics": "?1",
    "Sec-WebSocket-Accept": "x",
    "Expect-CT": "max-age=1",
    "X-Robots-Tag": "all",
    "X-Accel-Redirect": "/internal/health",
    "X-Origin-Answer": "spoofed",
    "X-A-Header-Of-The-Year-2040": "x",
    "Content-Type": "text/html",
}
ALLOWED = {
    *("content-type", "content-length", "content-encoding", "etag", "last-modified", "accept-ranges"),
    *("date", "server", "connection", "cache-control", "vary", "x-content-type-options", "referrer-policy"),
    *("content-security-policy", "transfer-encoding"),
}


def answer(body: bytes, **headers: str) -> bytes:
    lines = {"Content-Length": str(len(body)), "Connection": "close"} | headers
    return b"HTTP/1.1 200 OK\r\n" + "".join(f"{k}: {v}\r\n" for k, v in lines.items()).encode() + b"\r\n" + body


class Place:
    """An edge with a misbehaving origin, and an event there."""

    def __init__(self, gate: StackUnderTest, origin: RunawayOrigin) -> None:
        self.gate, self.origin, self.event = gate, origin, str(uuid4())

    def url(self, name: str) -> str:
        return f"{self.gate.url}/streams/{self.event}/{name}"

    @property
    def token(self) -> str:
        return Minter(self.gate.home).token(self.event)

    def get(self, name: str, **headers: str) -> httpx2.Response:
        return httpx2.get(self.url(name), headers={"Authorization": f"Bearer {self.token}"} | headers, timeout=60)

    def cached(self) -> int:
        return sum(len(content) for content in cached_files(self.gate.home))


@pytest.fixture(scope="module")
def edge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[StackUnderTest, RunawayOrigin]]:
    with RunawayOrigin() as origin:
        settings = {"STREAM_ROOT": "", "UPSTREAM_ORIGIN": origin.url}
        with StackUnderTest(tmp_path_factory.mktemp("edge"), settings=settings) as gate:
            yield gate, origin


@pytest.fixture
def place(edge: tuple[StackUnderTest, RunawayOrigin]) -> Place:
    edge[1].asked.clear()
    edge[1].given_up.clear()
    return Place(*edge)


@pytest.mark.parametrize(
    ("name", "media_type"),
    [
        ("a.ts", "video/mp2t"),
        ("a.m3u8", "application/vnd.apple.mpegurl"),
        ("a.key", "application/octet-stream"),
        ("a.vtt", "text/vtt"),
    ],
)
def test_a_viewer_gets_a_short_list_of_an_origins_headers_and_the_type_of_the_extension(
    place: Place, name: str, media_type: str
) -> None:
    place.origin.behaviours[name] = says(answer(b"<script>alert(1)</script>", ETag='"1"', **LOUD))
    for _ in range(2):
        got = place.get(name, **{"Accept-Encoding": "identity"})
        assert (got.status_code, got.text) == (200, "<script>alert(1)</script>")
        assert set(got.headers) <= ALLOWED
        assert got.headers["content-type"] == media_type
        assert got.headers["x-content-type-options"] == "nosniff"
        assert got.headers["content-security-policy"] == "default-src 'none'; sandbox"


@pytest.mark.parametrize("status", [302, 401, 403, 407, 500])
def test_nothing_of_an_origins_refusal_reaches_the_viewer(place: Place, status: int) -> None:
    lines = "".join(f"{name}: {value}\r\n" for name, value in LOUD.items())
    head = f"HTTP/1.1 {status} Whatever\r\nContent-Length: 4\r\nConnection: close\r\n{lines}\r\n"
    place.origin.behaviours["b.ts"] = says(head.encode() + b"mine")
    got = place.get("b.ts")
    assert (got.status_code, got.json()) == (502, UNAVAILABLE)
    assert set(got.headers) <= ALLOWED


def test_unrequested_gzip_is_decompressed(place: Place) -> None:
    for name, text in (("g.m3u8", b"#EXTM3U\n# packed\n"), ("g.vtt", b"WEBVTT\n")):
        place.origin.behaviours[name] = says(answer(gzip.compress(text), **{"Content-Encoding": "gzip"}))
        got = place.get(name, **{"Accept-Encoding": "identity"})
        assert (got.status_code, got.content, got.headers.get("content-encoding")) == (200, text, None)


@pytest.mark.parametrize("body", [gzip.compress(b"x" * 9_000)[:-20], b"no gzip at all"], ids=["cut off", "no gzip"])
def test_invalid_gzip_is_refused(place: Place, body: bytes) -> None:
    place.origin.behaviours["broken.m3u8"] = says(answer(body, **{"Content-Encoding": "gzip"}))
    assert place.get("broken.m3u8").status_code == 502


def test_a_decompression_bomb_is_cut_off(place: Place) -> None:
    place.origin.behaviours["bomb.m3u8"] = says(
        answer(gzip.compress(b"\0" * 64 * MEGABYTE), **{"Content-Encoding": "gzip"})
    )
    assert place.get("bomb.m3u8").status_code == 502


@pytest.mark.parametrize("head", [HEAD, HEAD + b"Content-Length: 99999999999\r\n"], ids=["no length", "a huge length"])
@pytest.mark.parametrize("name", ["endless.m3u8", "endless.key"])
def test_an_endless_playlist_or_key_is_refused_and_leaves_nothing_behind(place: Place, head: bytes, name: str) -> None:
    place.origin.behaviours[name] = place.origin.endless(head)
    place.origin.sent = 0
    assert place.get(name).status_code == 502
    assert place.origin.given_up.wait(10), "the origin is hung up on"
    assert place.origin.sent < 40 * MEGABYTE
    assert place.cached() < MEGABYTE


def test_an_endless_segment_is_cut_off_even_if_no_client_waits_for_it(place: Place) -> None:
    place.origin.behaviours["endless.ts"] = place.origin.endless(HEAD + b"Transfer-Encoding: chunked\r\n", CHUNK)
    place.origin.sent = 0
    with httpx2.stream(
        "GET", place.url("endless.ts"), headers={"Authorization": f"Bearer {place.token}"}, timeout=30
    ) as got:
        assert got.status_code == 200
        assert next(got.iter_raw())
    assert place.origin.given_up.wait(60), "the origin is hung up on"
    assert place.origin.sent < 300 * MEGABYTE
    eventually(lambda: place.cached() < MEGABYTE, within=20, what="nothing of it is kept")


@pytest.mark.parametrize(
    ("name", "head"),
    [
        ("trickle.m3u8", HEAD + b"Content-Length: 1000\r\n\r\n"),
        ("trickle.ts", HEAD + b"Content-Length: 1000\r\n\r\n"),
        ("trickle.key", b"HTTP/1.1 200 OK\r\nX-Slow: "),
    ],
)
def test_trickled_bytes_do_not_block_other_viewers(place: Place, name: str, head: bytes) -> None:
    place.origin.behaviours[name] = place.origin.trickle(head)
    began = time.monotonic()
    answers: list[int] = []

    def ask() -> None:
        try:
            answers.append(place.get(name).status_code)
        except httpx2.RemoteProtocolError:
            answers.append(0)  # cut off in the middle

    crowd = [threading.Thread(target=ask) for _ in range(10)]
    for viewer in crowd:
        viewer.start()
    for viewer in crowd:
        viewer.join(timeout=60)
    assert len(answers) == 10
    assert set(answers) <= {502, 0}
    assert time.monotonic() - began < 45
    assert place.origin.given_up.wait(10), "the origin is hung up on"


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\nX-Large: " + b"x" * 10 * MEGABYTE,
        b"HTTP/1.1 200 OK\r\n" + b"".join(b"X-%d: %s\r\n" % (n, b"y" * 100) for n in range(20_000)) + b"\r\n",
        b"\0\1\2 no HTTP at all\r\n\r\n" * 100,
        b"",
    ],
    ids=["one huge header", "many headers", "no HTTP", "nothing"],
)
def test_an_invalid_response_head_is_502_at_once(place: Place, head: bytes) -> None:
    place.origin.behaviours["head.ts"] = says(head)
    answers = fetch_together(place.url("head.ts"), place.token, 20)
    assert {(got.status_code, got.text) for got in answers} == {(502, '{"error":"Stream source unavailable"}')}


def test_a_truncated_segment_is_never_cached(place: Place) -> None:
    place.origin.behaviours["half.ts"] = says(HEAD + b"Content-Length: 500000\r\n\r\n" + b"x" * 100_000)
    with pytest.raises(httpx2.RemoteProtocolError):
        place.get("half.ts")
    place.origin.behaviours["half.ts"] = says(answer(b"y" * 500_000))
    eventually(lambda: place.get("half.ts").content == b"y" * 500_000, within=20, what="it is fetched again")


def test_a_misbehaving_stream_does_not_affect_others(place: Place) -> None:
    place.origin.behaviours["slow.m3u8"] = place.origin.trickle(HEAD + b"\r\n")
    place.origin.behaviours["good.ts"] = says(answer(b"good"))
    stuck = [threading.Thread(target=place.get, args=("slow.m3u8",)) for _ in range(5)]
    for viewer in stuck:
        viewer.start()
    eventually(lambda: any("slow" in asked for asked in place.origin.asked))
    began = time.monotonic()
    assert place.get("good.ts").text == "good"
    assert time.monotonic() - began < 15
    for viewer in stuck:
        viewer.join(timeout=60)
