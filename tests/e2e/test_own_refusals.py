"""nginx's own refusals outside of the streams have the API's format and are never cached."""

import json

import pytest

from tests.support.clients.api import UNKNOWN_ID
from tests.support.clients.raw_http import RawAnswer, raw_request
from tests.support.media.streams import Folder
from tests.support.services.stack import StackUnderTest

LONG = "x" * 20_000
PLACES = ["/", "/admin", "/api/tokens/validate", "/health", "/internal/feed", "/static/none.js"]


def refusal(answer: RawAnswer) -> tuple[int, str]:
    """Check the form of a refusal; return its status and reason."""
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"
    told = json.loads(answer.body)
    assert told.keys() == {"error", "reason"}
    assert told["error"].endswith(".")
    return answer.status, told["reason"]


@pytest.mark.parametrize("place", PLACES)
def test_an_address_that_is_too_long_is_refused_before_there_is_a_path(gate: StackUnderTest, place: str) -> None:
    assert refusal(raw_request(gate.url, f"{place}?{LONG}")) == (414, "uri-too-long")


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("header", [f"Cookie: {LONG}", "Host: another.example", "Content-Length: many"])
def test_too_large_or_invalid_headers_are_refused(gate: StackUnderTest, place: str, header: str) -> None:
    assert refusal(raw_request(gate.url, place, headers=(header,))) == (400, "malformed")


@pytest.mark.parametrize("target", ["/%zz", "/%00", "/a/../../b", "nowhere", "/ / x"])
def test_an_invalid_request_line_is_refused(gate: StackUnderTest, target: str) -> None:
    assert refusal(raw_request(gate.url, target)) == (400, "malformed")


@pytest.mark.parametrize(
    ("method", "header", "status"), [("TRACE", "X: y", 405), ("POST", "Transfer-Encoding: x", 501)]
)
def test_unsupported_requests_are_refused(gate: StackUnderTest, method: str, header: str, status: int) -> None:
    assert refusal(raw_request(gate.url, "/api/tokens/validate", method, (header,))) == (status, "not-supported")


@pytest.mark.parametrize("place", [*PLACES, "/admin/cache/x"])
def test_a_body_larger_than_any_limit_is_refused_before_it_is_sent(gate: StackUnderTest, place: str) -> None:
    method = "DELETE" if place.startswith("/admin/cache") else "POST"
    answer = raw_request(gate.url, place, method, ("Content-Length: 6000000",))
    assert refusal(answer) == (413, "content-too-large")


@pytest.mark.parametrize("name", ["stream.m3u8", "1.ts", "one.key"])
def test_a_body_for_a_stream_is_refused_in_the_same_words(gate: StackUnderTest, name: str) -> None:
    answer = raw_request(gate.url, f"/streams/{UNKNOWN_ID}/{name}", headers=("Content-Length: 6000000",))
    assert refusal(answer) == (413, "content-too-large")


def test_the_control_planes_own_limit_is_reported_in_the_same_words(gate: StackUnderTest) -> None:
    small, large = ("Content-Length: 6000000",), ("Content-Type: application/json", f"Content-Length: {100_000}")
    of_nginx = raw_request(gate.url, "/api/tokens/validate", "POST", small)
    of_ours = raw_request(gate.url, "/api/tokens/validate", "POST", large, body=b" " * 100_000)
    assert refusal(of_ours) == (413, "content-too-large")
    assert json.loads(of_ours.body) == json.loads(of_nginx.body)


@pytest.mark.parametrize("name", ["folder.ts", "folder.m3u8", "folder.key", "folder.mp4"])
def test_a_folder_that_is_named_like_a_file_is_404(
    gate: StackUnderTest, folder: Folder, valid_token: str, name: str
) -> None:
    (gate.streams / folder.event_id / name).mkdir(exist_ok=True)
    answer = raw_request(
        gate.url, f"/streams/{folder.event_id}/{name}", headers=(f"Authorization: Bearer {valid_token}",)
    )
    assert (answer.status, answer.headers["content-type"]) == (404, "application/json")
    assert json.loads(answer.body) == {"error": "Not found"}
    assert "location" not in answer.headers


def test_a_full_disk_is_reported_in_the_apis_format(gate: StackUnderTest) -> None:
    """A body too large for memory is written to a folder, which is missing here: nginx fails as on a full disk."""
    folders = [path for path in gate.home.glob("run/nginx/tmp/**/*") if path.is_dir() and "body" in path.name]
    assert folders
    aside = [path.rename(path.with_name(f"{path.name}.aside")) for path in folders]
    try:
        for path in folders:
            path.write_text("no folder")
        kind = ("Content-Type: application/json", "Content-Length: 60000")
        answer = raw_request(gate.url, "/api/tokens/validate", "POST", kind, body=b" " * 60_000)
        assert refusal(answer) == (503, "unavailable")
    finally:
        for path, kept in zip(folders, aside, strict=True):
            path.unlink()
            kept.rename(path)


@pytest.mark.parametrize(
    "place",
    ["/_unavailable", "/_authorize", "/_bad_request", "/_not_supported", "/_too_large", "/_too_long", "/internal/feed"],
)
def test_internal_locations_are_404(gate: StackUnderTest, place: str) -> None:
    answer = raw_request(gate.url, place)
    assert (answer.status, answer.headers["content-type"]) == (404, "application/json")
    assert answer.headers["cache-control"] == "no-store"
