"""One real sidecar process: requests on its socket, on both lanes, and its reports to the control plane."""

import http.client
import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from authz_sidecar.contract.feed import FeedPage
from control_plane.sessions.reports import parse_report
from tests.support.data.forging import SID, fresh
from tests.support.services.feeds import revocation
from tests.support.services.sidecar import PATH, ControlPlaneStub, SidecarUnderTest
from tests.support.waiting import eventually

REPORT_WITHIN_SECONDS = 25
REVOKED = "Revoked00001", "Revoked00002", "Revoked00003"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("sidecar")


@pytest.fixture(scope="module")
def control_plane(folder: Path) -> Iterator[ControlPlaneStub]:
    changes = tuple(revocation(code, expires_at=time.time() + 86_400) for code in REVOKED)
    page = json.dumps(FeedPage("first.3", changes, snapshot=True).to_json()).encode()
    answer = {"first.3": None}
    with ControlPlaneStub(folder / "control.sock", lambda asked: answer.get(asked, page), report_status=503) as stub:
        yield stub


@pytest.fixture(scope="module", params=["true", "false"], ids=["fast lane", "uvicorn"])
def sidecar(
    request: pytest.FixtureRequest, folder: Path, control_plane: ControlPlaneStub
) -> Iterator[SidecarUnderTest]:
    settings = {"EDGE_NAME": "venue", "SIDECAR_FAST_LANE": request.param}
    with SidecarUnderTest(folder, control_plane.socket, settings) as running:
        eventually(lambda: running.health()["revocationCacheSize"] == 3, what="the feed is followed")
        yield running


def question(token: str, more: str = "", version: str = "1.1") -> bytes:
    lines = f"GET /authorize HTTP/{version}\r\nHost: gate\r\nX-Gate-Path: {PATH}\r\nX-Gate-Method: GET\r\n"
    return f"{lines}Authorization: Bearer {token}\r\n{more}\r\n".encode()


def exchange(sidecar: SidecarUnderTest, sent: bytes, answers: int) -> list[tuple[int, str | None]]:
    """Send all bytes at once on one connection; return the statuses and reasons of this many responses."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(30)
        connection.connect(str(sidecar.socket))
        connection.sendall(sent)
        with connection.makefile("rb") as stream:
            return [answer_of(stream) for _ in range(answers)]


def answer_of(stream: BinaryIO) -> tuple[int, str | None]:
    status, headers = int(stream.readline().split()[1]), http.client.parse_headers(stream)
    stream.read(int(headers["Content-Length"] or 0))
    return (status, headers["X-Gate-Reason"]) if status != 100 else answer_of(stream)


def test_authorizations_and_other_requests_alternate_on_one_connection(sidecar: SidecarUnderTest) -> None:
    live = b"GET /live HTTP/1.1\r\nHost: gate\r\n\r\n"
    sent = question(fresh()) + live + question(fresh(sub=REVOKED[0])) + question("nonsense") + live + question(fresh())
    expected = [(204, None), (200, None), (403, "revoked"), (401, "invalid"), (200, None), (204, None)]
    assert exchange(sidecar, sent, len(expected)) == expected


@pytest.mark.parametrize(
    "sent",
    [
        question(fresh(), version="1.0"),
        question(fresh(), "Connection: close\r\n"),
        question(fresh(), "Expect: 100-continue\r\n"),
        question(fresh(), "Content-Length: 5\r\n") + b"12345",
        question(fresh(), "Connection: upgrade\r\nUpgrade: websocket\r\n"),
        question(fresh()).replace(b"/authorize", b"/authorize?x=1"),
    ],
    ids=["HTTP/1.0", "to be closed", "expecting", "with a body", "an upgrade", "with a query"],
)
def test_an_unusual_request_for_authorization_gets_the_same_answer(sidecar: SidecarUnderTest, sent: bytes) -> None:
    assert exchange(sidecar, sent, 1) == [(204, None)]


def test_a_body_is_not_taken_for_the_next_request(sidecar: SidecarUnderTest) -> None:
    hidden = question(fresh())
    sent = question("nonsense", f"Content-Length: {len(hidden)}\r\n") + hidden + question(fresh(sub=REVOKED[0]))
    assert exchange(sidecar, sent, 2) == [(401, "invalid"), (403, "revoked")]


def test_a_request_in_several_packets_is_one_request(sidecar: SidecarUnderTest) -> None:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(30)
        connection.connect(str(sidecar.socket))
        for byte in question(fresh(), "Content-Length: 3\r\n") + b"abc" + question("nonsense"):
            connection.send(bytes([byte]))
        with connection.makefile("rb") as stream:
            assert [answer_of(stream) for _ in range(2)] == [(204, None), (401, "invalid")]


def test_its_metrics_are_available_on_its_socket(sidecar: SidecarUnderTest) -> None:
    before = verdicts(sidecar)
    assert sidecar.ask(fresh()) == (204, None)
    assert verdicts(sidecar) == before + 1
    assert 'streamgate_revoked_entries{kind="code"} 3.0' in sidecar.http.get("/metrics").text


def verdicts(sidecar: SidecarUnderTest) -> float:
    lines = sidecar.http.get("/metrics").text.splitlines()
    return float(
        next(line for line in lines if line.startswith('streamgate_verdicts_total{reason="allowed"}')).split()[1]
    )


def first_of(reports: list[dict[str, Any]], sid: str) -> dict[str, Any]:
    return next((report for report in reports if sid in report["sids"]), {})


def test_activity_is_reported_even_from_while_the_control_plane_refused_reports(
    sidecar: SidecarUnderTest, control_plane: ControlPlaneStub
) -> None:
    client = {"X-Gate-Client": "192.0.2.7", "X-Gate-User-Agent": "a player"}
    assert sidecar.ask(fresh(sid="w" * 22), **client) == (204, None)
    assert sidecar.ask(fresh(sid="r" * 22, sub=REVOKED[0]), **client) == (403, "revoked")
    eventually(lambda: "activity_not_reported" in sidecar.service.printed(), within=REPORT_WITHIN_SECONDS)
    control_plane.report_status = 204
    report = eventually(lambda: first_of(control_plane.reports, "w" * 22), within=REPORT_WITHIN_SECONDS)
    clients = dict(zip(report["sids"], report["clients"], strict=True))
    assert report["edge"] == "venue"
    assert len(clients["w" * 22]) == 1
    assert set(clients) <= {"w" * 22, SID}
    assert "192.0.2.7" not in json.dumps(report)
    assert len(parse_report(json.dumps(report).encode()).sids) == len(clients)  # as the control plane parses it
