"""Hybrid mode and origin outages: cached files keep playing, even after a restart of nginx; access stays restricted."""

from collections.abc import Iterator
from contextlib import suppress

import httpx2
import pytest

from tests.e2e.test_gate_paths import TRICKS
from tests.support.clients.raw_http import raw_request
from tests.support.media.origin import Reply
from tests.support.media.streams import make_folder, put
from tests.support.services.edge import UNAVAILABLE, EdgeUnderTest, edge_of_an_origin
from tests.support.waiting import eventually, stays


@pytest.fixture(scope="module")
def edge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EdgeUnderTest]:
    """An edge in hybrid mode: a stream folder and an origin."""
    with edge_of_an_origin(tmp_path_factory.mktemp("hybrid")) as running:
        yield running


@pytest.fixture
def event(edge: EdgeUnderTest) -> Iterator[str]:
    yield edge.origin.add_event()
    edge.origin.start()


def test_local_files_take_precedence_and_missing_ones_come_from_the_origin(edge: EdgeUnderTest, event: str) -> None:
    folder = make_folder(edge.gate.streams, event)
    put(folder, "1.ts", "the local one")
    (folder.path / "en.vtt").unlink()
    assert edge.get(event, "1.ts").text == "the local one"
    assert edge.get(event, "en.vtt").text == f"mark-of-{event}" * 50
    assert edge.get(event, "9.ts").status_code == 404
    assert edge.origin.questions(f"/{event}/1.ts") == []
    put(folder, "9.ts", "there by now")
    assert edge.get(event, "9.ts").text == "there by now"


def test_a_symbolic_link_is_not_followed_in_hybrid_mode_either(edge: EdgeUnderTest, event: str) -> None:
    folder = make_folder(edge.gate.streams, event)
    (folder.path / "link.ts").symlink_to("/etc/passwd")
    assert edge.get(event, "link.ts").status_code == 404


def test_cached_files_play_while_the_origin_is_down_and_others_are_502(edge: EdgeUnderTest, event: str) -> None:
    for name in ("stream.m3u8", "1.ts", "init.mp4"):
        edge.get(event, name).raise_for_status()
    edge.origin.stop()
    stays(lambda: edge.get(event, "stream.m3u8").status_code == 200, during=3, what="the playlist is served on")
    assert edge.get(event, "1.ts").status_code == 200
    assert edge.get(event, "init.mp4").status_code == 200
    for name in ("2.ts", "low/1.ts", "enc.key", "other.m3u8"):
        answer = edge.get(event, name)
        assert (answer.status_code, answer.json()) == (502, UNAVAILABLE), name
    edge.origin.start()
    eventually(lambda: edge.get(event, "2.ts").status_code == 200, within=30)


def test_many_requests_at_a_dead_origin_are_answered_soon(edge: EdgeUnderTest, event: str) -> None:
    edge.origin.stop()
    answers = edge.together(event, "2.ts", 100)
    assert {answer.status_code for answer in answers} == {502}
    assert max(answer.elapsed.total_seconds() for answer in answers) < 20


def test_a_hung_origin_does_not_delay_cached_files(edge: EdgeUnderTest, event: str) -> None:
    edge.get(event, "stream.m3u8").raise_for_status()
    edge.origin.answer(f"/{event}/stream.m3u8", Reply(200, b"too late", delay=20))
    edge.origin.answer(f"/{event}/hung.m3u8", Reply(200, b"too late", delay=20))
    eventually(lambda: is_asked_again(edge, event))
    served = edge.together(event, "stream.m3u8", 20)
    assert {answer.text.splitlines()[0] for answer in served} == {"#EXTM3U"}
    assert sorted(answer.elapsed.total_seconds() for answer in served)[-2] < 5, "one of them at most is held up"
    assert edge.get(event, "hung.m3u8").status_code == 502


def is_asked_again(edge: EdgeUnderTest, event: str) -> bool:
    with suppress(httpx2.TimeoutException):
        target = f"/streams/{event}/stream.m3u8?__token={edge.token(event)}"
        httpx2.get(f"{edge.gate.url}{target}", timeout=0.3)
    return len(edge.origin.questions(f"/{event}/stream.m3u8")) > 1


def test_errors_of_the_origin_in_mid_stream_do_not_affect_cached_playlists(edge: EdgeUnderTest, event: str) -> None:
    before = edge.get(event, "stream.m3u8").text
    edge.origin.answer(f"/{event}/stream.m3u8", Reply(503))

    def is_asked_again_without_a_word() -> bool:
        assert edge.get(event, "stream.m3u8").text == before
        return len(edge.origin.questions(f"/{event}/stream.m3u8")) >= 2

    eventually(is_asked_again_without_a_word, what="the origin is asked again")
    stays(lambda: edge.get(event, "stream.m3u8").text == before, during=2)


def test_a_playlist_that_has_ended_at_the_origin_is_404_and_not_stale(edge: EdgeUnderTest, event: str) -> None:
    edge.get(event, "stream.m3u8").raise_for_status()
    edge.origin.answer(f"/{event}/stream.m3u8", Reply(404))
    eventually(lambda: edge.get(event, "stream.m3u8").status_code == 404)


def test_an_expired_playlist_is_revalidated_and_not_fetched_again(edge: EdgeUnderTest, event: str) -> None:
    edge.get(event, "stream.m3u8").raise_for_status()
    path = f"/{event}/stream.m3u8"

    def asked_again() -> bool:
        edge.get(event, "stream.m3u8").raise_for_status()
        return len(edge.origin.questions(path)) > 1

    eventually(asked_again)
    assert edge.origin.questions(path)[1].headers["if-none-match"]
    assert f"mark-of-{event}" in edge.get(event, "stream.m3u8").text


def test_a_restart_of_nginx_keeps_the_cache(edge: EdgeUnderTest, event: str) -> None:
    edge.get(event, "1.ts").raise_for_status()
    edge.gate.nginx.stop()
    edge.gate.nginx.start()
    edge.gate.nginx.wait_ready()
    edge.origin.stop()
    assert edge.get(event, "1.ts").text == f"mark-of-{event}" * 50


def test_a_dead_sidecar_and_a_dead_origin_are_distinguished(edge: EdgeUnderTest, event: str) -> None:
    edge.get(event, "1.ts").raise_for_status()
    [sidecar] = edge.gate.sidecars
    sidecar.kill()
    try:
        for name in ("1.ts", "2.ts", "stream.m3u8", "enc.key"):
            answer = edge.get(event, name)
            assert (answer.status_code, answer.json()) == (503, {"error": "Authorization unavailable"})
            assert answer.headers["retry-after"] == "1"
        assert edge.origin.questions(f"/{event}/2.ts") == []
        key = {"X-Internal-Api-Key": sidecar.spec.env["INTERNAL_API_KEY"]}
        assert httpx2.delete(f"{edge.gate.url}/admin/cache/{event}", headers=key, timeout=30).status_code == 503
    finally:
        sidecar.start()
        sidecar.wait_ready()
    assert edge.get(event, "1.ts").status_code == 200


@pytest.mark.parametrize("trick", TRICKS)
def test_path_tricks_never_fetch_another_events_bytes(edge: EdgeUnderTest, trick: str) -> None:
    mine, other = edge.origin.add_event(), edge.origin.add_event()
    token = edge.token(mine)
    target = trick.replace("{mine}", mine).replace("{other}", other).replace("{token}", token)
    answer = raw_request(edge.gate.url, target, headers=(f"Authorization: Bearer {token}",))
    assert answer.status in {400, 403, 404, 414}, target
    assert b"mark-of" not in answer.body
    assert not any(other in asked.target or ".." in asked.target for asked in edge.origin.asked)


def test_the_logs_of_an_edge_contain_no_token(edge: EdgeUnderTest, event: str) -> None:
    token = edge.token(event)
    edge.origin.stop()
    for target in (f"/streams/{event}/8.ts?__token={token}", f"/t/{token}/streams/{event}/8.ts"):
        assert httpx2.get(edge.gate.url + target, timeout=30).status_code == 502
    access_log = edge.gate.home / "log" / "access.jsonl"
    eventually(lambda: access_log.read_text().count(f"/streams/{event}/8.ts") == 2)
    assert token not in access_log.read_text()
