"""A portal on another origin, caching headers, and compression of playlists."""

import gzip
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import httpx2
import pytest

from tests.support.clients.raw_http import raw_request
from tests.support.data.tokens import Minter
from tests.support.media.streams import Folder, make_folder, put
from tests.support.services.stack import StackUnderTest
from tests.support.waiting import eventually

PORTAL, SECOND, STRANGER = "https://tickets.example", "http://localhost:3000", "https://evil.example"
EXPOSED = "Content-Length, Content-Range, ETag, Date"
HTTP_DATE = "Fri, 01 Jan 2100 00:00:00 GMT"


@dataclass(frozen=True)
class Streams:
    gate: StackUnderTest
    folder: Folder

    def ask(self, name: str, method: str = "GET", token: str | None = "", **headers: str) -> httpx2.Response:
        shown = token or Minter(self.gate.home).token(self.folder.event_id)
        bearer = {} if token is None else {"Authorization": f"Bearer {shown}"}
        return httpx2.request(method, f"{self.gate.url}{self.folder.url}/{name}", headers=bearer | headers, timeout=10)


@pytest.fixture(scope="module")
def streams(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Streams]:
    settings = {"CORS_ALLOWED_ORIGIN": f"{PORTAL}, {SECOND}", "UPSTREAM_ORIGIN": "http://127.0.0.1:9"}
    with StackUnderTest(tmp_path_factory.mktemp("cors"), settings=settings) as gate:
        folder = make_folder(gate.streams)
        put(folder, "stream.m3u8", "#EXTM3U\n" + "#EXTINF:2,\n1.ts\n" * 100)
        yield Streams(gate, folder)


def without_a_sidecar(streams: Streams, origin: str) -> httpx2.Response:
    [sidecar] = streams.gate.sidecars
    sidecar.kill()
    try:
        return streams.ask("1.ts", Origin=origin)
    finally:
        sidecar.start()
        sidecar.wait_ready()


def expired(streams: Streams) -> str:
    now = int(time.time())
    return Minter(streams.gate.home).token(streams.folder.event_id, iat=now - 100, exp=now - 50)


def of_another_event(streams: Streams) -> str:
    return Minter(streams.gate.home).token(make_folder(streams.gate.streams).event_id)


ANSWERS: dict[str, tuple[int, Callable[[Streams, str], httpx2.Response]]] = {
    "a playlist": (200, lambda streams, origin: streams.ask("stream.m3u8", Origin=origin)),
    "a segment": (200, lambda streams, origin: streams.ask("1.ts", Origin=origin)),
    "a part": (206, lambda streams, origin: streams.ask("1.ts", Origin=origin, Range="bytes=0-3")),
    "unchanged": (304, lambda streams, origin: streams.ask("1.ts", Origin=origin, **{"If-None-Match": "*"})),
    "a preflight": (204, lambda streams, origin: streams.ask("1.ts", "OPTIONS", token=None, Origin=origin)),
    "no token": (401, lambda streams, origin: streams.ask("1.ts", token=None, Origin=origin)),
    "another event": (403, lambda streams, origin: streams.ask("1.ts", token=of_another_event(streams), Origin=origin)),
    "outside the pattern": (404, lambda streams, origin: streams.ask("x.txt", Origin=origin)),
    "another method": (405, lambda streams, origin: streams.ask("1.ts", "POST", Origin=origin)),
    "expired": (410, lambda streams, origin: streams.ask("1.ts", token=expired(streams), Origin=origin)),
    "a dead origin": (502, lambda streams, origin: streams.ask("9.ts", Origin=origin)),
    "a dead sidecar": (503, without_a_sidecar),
}


@pytest.mark.parametrize("case", ANSWERS)
def test_a_named_portal_may_read_every_answer(streams: Streams, case: str) -> None:
    status, ask = ANSWERS[case]
    answer = ask(streams, PORTAL)
    assert answer.status_code == status
    assert answer.headers["access-control-allow-origin"] == PORTAL
    assert answer.headers["access-control-expose-headers"] == EXPOSED
    assert "Origin" in answer.headers["vary"]
    assert "access-control-allow-credentials" not in answer.headers


@pytest.mark.parametrize("case", ANSWERS)
def test_any_other_origin_gets_no_cors_headers(streams: Streams, case: str) -> None:
    status, ask = ANSWERS[case]
    answer = ask(streams, STRANGER)
    assert answer.status_code == status
    assert [name for name in answer.headers if name.startswith("access-control")] == []
    assert "Origin" in answer.headers["vary"]


def test_a_preflight_response_lists_what_is_allowed_and_for_how_long(streams: Streams) -> None:
    headers = {"Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "authorization,range"}
    answer = streams.ask("1.ts", "OPTIONS", token=None, Origin=SECOND, **headers)
    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["access-control-allow-origin"] == SECOND
    assert answer.headers["access-control-allow-methods"] == "GET, HEAD, OPTIONS"
    assert answer.headers["access-control-allow-headers"] == "Authorization, Cache-Control, Range"
    assert answer.headers["access-control-max-age"] == "86400"


@pytest.mark.parametrize(
    "origin",
    [
        f"{PORTAL}.evil.example",
        f"{PORTAL}:8443",
        "http://tickets.example",
        "null",
        "*",
        f"{PORTAL}/",
        f"{PORTAL}, {PORTAL}",
    ],
)
def test_an_origin_that_only_resembles_a_named_one_gets_no_cors_headers(streams: Streams, origin: str) -> None:
    assert "access-control-allow-origin" not in streams.ask("1.ts", Origin=origin).headers


def test_a_playlist_is_gzipped_on_request_and_read_again_each_time(streams: Streams) -> None:
    path, token = f"{streams.folder.url}/stream.m3u8", Minter(streams.gate.home).token(streams.folder.event_id)
    headers = (f"Authorization: Bearer {token}", "Accept-Encoding: gzip")
    answer = raw_request(streams.gate.url, path, headers=headers)
    assert answer.headers["content-encoding"] == "gzip"
    assert "etag" not in answer.headers
    plain = streams.ask("stream.m3u8", **{"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert gzip.decompress(dechunked(answer.body)) == plain.content
    assert "Accept-Encoding" in plain.headers["vary"]


def dechunked(body: bytes) -> bytes:
    found = b""
    while (size := int(body.split(b"\r\n", 1)[0], 16)) > 0:
        rest = body.split(b"\r\n", 1)[1]
        found, body = found + rest[:size], rest[size + 2 :]
    return found


def test_a_playlist_is_never_answered_with_304(streams: Streams) -> None:
    seen = streams.ask("stream.m3u8", "HEAD").headers["last-modified"]
    for condition in ({"If-Modified-Since": seen}, {"If-Modified-Since": HTTP_DATE}, {"If-None-Match": '"x"'}):
        answer = streams.ask("stream.m3u8", **condition)
        assert answer.status_code == 200, condition
        assert answer.headers["cache-control"] == "no-cache"


def test_a_playlist_replaced_in_the_same_second_with_the_same_size_is_seen_at_once(streams: Streams) -> None:
    for number in range(20):
        put(streams.folder, "live.m3u8", f"#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:{number:04}\n")
        os.utime(streams.folder.path / "live.m3u8", (1_700_000_000, 1_700_000_000))
        assert f":{number:04}" in streams.ask("live.m3u8").text


def test_a_cached_segment_is_revalidated_without_a_body(streams: Streams) -> None:
    first = streams.ask("1.ts")
    assert first.headers["cache-control"] == "private, max-age=600"
    assert streams.ask("1.ts", **{"If-None-Match": first.headers["etag"]}).status_code == 304
    assert streams.ask("1.ts", **{"If-None-Match": '"another"'}).status_code == 200
    put(streams.folder, "low/1.ts", "written by an encoder that was started again")
    assert streams.ask("low/1.ts", **{"If-None-Match": first.headers["etag"]}).status_code == 200


def test_one_range_is_served_and_several_are_not(streams: Streams) -> None:
    whole = streams.ask("1.ts").content
    answer = streams.ask("1.ts", Range="bytes=2-5")
    assert (answer.status_code, answer.content) == (206, whole[2:6])
    assert streams.ask("1.ts", Range="bytes=-4").content == whole[-4:]
    assert streams.ask("1.ts", Range="bytes=0-1,4-5").content == whole
    assert streams.ask("1.ts", Range=f"bytes={len(whole)}-").status_code == 416
    assert streams.ask("stream.m3u8", Range="bytes=0-").status_code in {200, 206}


def test_keys_are_never_cached(streams: Streams) -> None:
    assert streams.ask("enc.key").headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    ("name", "media_type", "kept"),
    [
        ("SEG1.TS", "video/mp2t", "private, max-age=600"),
        ("video/1.CmfV", "video/mp4", "private, max-age=600"),
        ("a.cmfa", "audio/mp4", "private, max-age=600"),
        ("subs.cmft", "application/mp4", "private, max-age=600"),
        ("v.m4v", "video/mp4", "private, max-age=600"),
        ("a.MP3", "audio/mpeg", "private, max-age=600"),
        ("a.ac3", "audio/ac3", "private, max-age=600"),
        ("a.ec3", "audio/eac3", "private, max-age=600"),
        ("en.WEBVTT", "text/vtt", "private, max-age=600"),
        ("LOW.M3U8", "application/vnd.apple.mpegurl", "no-cache"),
        ("ENC.KEY", "application/octet-stream", "no-store"),
    ],
)
def test_every_extension_is_served_with_its_media_type(streams: Streams, name: str, media_type: str, kept: str) -> None:
    put(streams.folder, name, streams.folder.mark)
    answer = streams.ask(name)
    assert (answer.status_code, answer.headers["content-type"]) == (200, media_type)
    assert answer.headers["cache-control"] == kept
    assert streams.ask(name, token=None).status_code == 401
    assert streams.ask(name, token=of_another_event(streams)).status_code == 403


def test_new_changed_and_deleted_segments_are_noticed_within_seconds(streams: Streams) -> None:
    name, file = "9.ts", streams.gate.streams / streams.folder.event_id / "9.ts"
    assert streams.ask(name).status_code in {404, 502}
    put(streams.folder, name, "the first")
    assert streams.ask(name).text == "the first", "what was missing is looked for again"
    put(streams.folder, name, "the second, of another length")
    eventually(lambda: streams.ask(name).text == "the second, of another length", within=5)
    file.unlink()
    eventually(lambda: streams.ask(name).status_code in {404, 502}, within=5)
