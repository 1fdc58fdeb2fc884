"""Every row of the verdict ladder and of the refusal table, seen by a client through the shipped nginx files."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import httpx2
import pytest

from tests.support.clients.people import IssuedTicket, Organiser, Viewer
from tests.support.data.tokens import Minter
from tests.support.media.streams import Folder, make_folder
from tests.support.services.databases import ON_BOTH_DATABASES
from tests.support.services.stack import StackUnderTest
from tests.support.waiting import PUSHED_WITHIN, eventually

pytestmark = ON_BOTH_DATABASES

CORS_READABLE = {"cache-control": "no-store", "content-type": "application/json"}


@pytest.fixture(scope="module")
def folder(gate: StackUnderTest) -> Folder:
    return make_folder(gate.streams)


@pytest.fixture(scope="module")
def minter(gate: StackUnderTest) -> Minter:
    return Minter(gate.home)


@pytest.fixture
def ask(gate: StackUnderTest, folder: Folder) -> Callable[..., httpx2.Response]:
    def send(token: str | None, name: str = "1.ts", method: str = "GET") -> httpx2.Response:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return httpx2.request(method, f"{gate.url}{folder.url}/{name}", headers=headers, timeout=10)

    return send


Ask = Callable[..., httpx2.Response]


def refused(answer: httpx2.Response, status: int, sentence: str) -> None:
    assert (answer.status_code, answer.json()) == (status, {"error": sentence})
    assert {name: answer.headers[name] for name in CORS_READABLE} == CORS_READABLE


def test_a_valid_token_gets_the_bytes(ask: Ask, minter: Minter, folder: Folder) -> None:
    answer = ask(minter.token(folder.event_id))
    assert answer.status_code == 200
    assert answer.text == folder.mark * 50


def test_without_a_token_the_answer_is_401_with_a_challenge(ask: Ask) -> None:
    answer = ask(None)
    refused(answer, 401, "Authorization required")
    assert answer.headers["www-authenticate"] == "Bearer"


def test_another_authorization_scheme_is_no_carrier(gate: StackUnderTest, folder: Folder) -> None:
    answer = httpx2.get(f"{gate.url}{folder.url}/1.ts", auth=("user", "password"), timeout=30)
    refused(answer, 401, "Authorization required")


@pytest.mark.parametrize("token", ["nonsense", "a.b.c", "eyJhbGciOiJub25lIn0.e30.x", "x" * 5000, "a.b.c d"])
def test_an_invalid_token_is_401(ask: Ask, token: str) -> None:
    refused(ask(token), 401, "Authorization required")


def test_a_token_with_one_character_changed_is_401(ask: Ask, minter: Minter, folder: Folder) -> None:
    token = minter.token(folder.event_id)
    refused(ask(token[:-5] + ("A" if token[-5] != "A" else "B") + token[-4:]), 401, "Authorization required")


def test_an_expired_token_is_410_without_a_challenge(ask: Ask, minter: Minter, folder: Folder) -> None:
    now = int(time.time())
    answer = ask(minter.token(folder.event_id, iat=now - 100, exp=now - 10))
    refused(answer, 410, "Playback token expired")
    assert "www-authenticate" not in answer.headers


def test_a_token_of_another_event_is_403(ask: Ask, minter: Minter, gate: StackUnderTest) -> None:
    other = make_folder(gate.streams)
    refused(ask(minter.token(other.event_id)), 403, "Access denied")


def test_a_probe_token_is_valid_for_head_only(ask: Ask, minter: Minter, folder: Folder) -> None:
    token = minter.probe_token(folder.event_id)
    assert ask(token, method="HEAD").status_code == 200
    refused(ask(token), 403, "Access denied")


@dataclass(frozen=True)
class Seat:
    viewer: Viewer
    event_id: str
    ticket: IssuedTicket


@pytest.fixture
def seat(gate: StackUnderTest, organiser: Organiser) -> Iterator[Seat]:
    """A viewer who is watching."""
    event_id = organiser.create_event()
    make_folder(gate.streams, event_id)
    [ticket] = organiser.tickets(event_id)
    viewer = Viewer(gate.url)
    assert viewer.redeem(ticket.code).status_code == 200
    assert viewer.watch("1.ts").status_code == 200
    yield Seat(viewer, event_id, ticket)
    viewer.close()


def is_refused_soon(viewer: Viewer) -> None:
    eventually(lambda: viewer.watch("1.ts").status_code == 403, within=PUSHED_WITHIN)
    refused(viewer.watch("1.ts"), 403, "Access denied")


def plays_soon(viewer: Viewer) -> None:
    eventually(lambda: viewer.watch("1.ts").status_code == 200, within=PUSHED_WITHIN)


def check_revoked_and_lifted(seat: Seat, cut: Callable[[], None], lift: Callable[[], None]) -> None:
    before = seat.viewer.token
    cut()
    is_refused_soon(seat.viewer)
    lift()
    assert seat.viewer.redeem(seat.ticket.code).status_code == 200
    plays_soon(seat.viewer)
    refused(seat.viewer.watch("1.ts", token=before), 403, "Access denied")


def test_a_revoked_code_is_403_within_a_second_and_valid_again_for_a_new_session(
    seat: Seat, organiser: Organiser
) -> None:
    check_revoked_and_lifted(seat, lambda: organiser.revoke(seat.ticket), lambda: organiser.unrevoke(seat.ticket))


def test_a_deactivated_event_is_403_within_a_second_and_valid_again_for_a_new_session(
    seat: Seat, organiser: Organiser
) -> None:
    check_revoked_and_lifted(
        seat, lambda: organiser.deactivate(seat.event_id), lambda: organiser.reactivate(seat.event_id)
    )


def test_a_released_sessions_token_is_403_within_a_second(seat: Seat) -> None:
    assert seat.viewer.post("/api/playback/release").json() == {"released": True}
    is_refused_soon(seat.viewer)


@pytest.mark.parametrize("name", ["2.ts", "low/2.ts", "nothing.m3u8"])
def test_a_missing_file_is_404_with_a_valid_token_and_not_revealed_otherwise(
    ask: Ask, minter: Minter, folder: Folder, name: str
) -> None:
    refused(ask(minter.token(folder.event_id), name), 404, "Not found")
    refused(ask(None, name), 401, "Authorization required")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "PROPFIND"])
def test_other_methods_are_405(ask: Ask, minter: Minter, folder: Folder, method: str) -> None:
    answer = ask(minter.token(folder.event_id), method=method)
    refused(answer, 405, "Method not allowed")
    assert answer.headers["allow"] == "GET, HEAD, OPTIONS"


def test_a_preflight_is_answered_without_a_token(ask: Ask) -> None:
    answer = ask(None, method="OPTIONS")
    assert (answer.status_code, answer.content) == (204, b"")


def test_a_symbolic_link_out_of_the_folder_is_404(ask: Ask, minter: Minter, folder: Folder) -> None:
    (folder.path / "link.ts").symlink_to("/etc/passwd")
    refused(ask(minter.token(folder.event_id), "link.ts"), 404, "Not found")


def test_playlists_are_never_answered_with_304(ask: Ask, minter: Minter, folder: Folder) -> None:
    answer = ask(minter.token(folder.event_id), "stream.m3u8", method="HEAD")
    assert answer.headers["content-type"] == "application/vnd.apple.mpegurl"
    assert answer.headers["cache-control"] == "no-cache"
    assert "last-modified" in answer.headers
    assert "etag" not in answer.headers


def test_viewers_may_cache_segments_for_ten_minutes_and_keys_not_at_all(
    ask: Ask, minter: Minter, folder: Folder
) -> None:
    token = minter.token(folder.event_id)
    assert ask(token, "1.ts").headers["cache-control"] == "private, max-age=600"
    assert "etag" in ask(token, "1.ts", method="HEAD").headers
    assert ask(token, "enc.key").headers["cache-control"] == "no-store"


def test_part_of_a_segment_can_be_requested(gate: StackUnderTest, minter: Minter, folder: Folder) -> None:
    headers = {"Authorization": f"Bearer {minter.token(folder.event_id)}", "Range": "bytes=0-7"}
    answer = httpx2.get(f"{gate.url}{folder.url}/1.ts", headers=headers, timeout=30)
    assert (answer.status_code, answer.text) == (206, folder.mark[:8])


def test_the_internal_api_is_not_on_the_public_port(gate: StackUnderTest) -> None:
    for path in ("/internal/feed", "/internal/health", "/internal/", "/internal/activity"):
        assert httpx2.get(gate.url + path, timeout=30).status_code == 404
    assert httpx2.get(f"{gate.url}/_authorize", timeout=30).status_code == 404


def test_health_reports_the_known_revocations(gate: StackUnderTest) -> None:
    body = httpx2.get(f"{gate.url}/health", timeout=30).json()
    assert body["status"] == "ok"
    assert body["controlPlane"] == "ok"
    assert isinstance(body["revocationCacheSize"], int)
    assert body["lastSyncAgo"].endswith("s")
    assert (body["segmentCacheEvents"], body["segmentCacheSizeMB"]) == (0, 0), "there is no cache without an origin"
