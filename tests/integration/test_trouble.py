"""Pages report that a stream does not play: authorized by the page's token, logged once a minute per event, bounded."""

from typing import Any

import httpx2
import pytest
from structlog.testing import capture_logs

from control_plane.sessions.trouble import Trouble, TroubleKind, TroubleReports
from tests.support.clients.api import Admin, ViewerClient

pytestmark = pytest.mark.anyio


async def report(viewer: ViewerClient, body: Any, token: str | None = None) -> httpx2.Response:
    headers = {"Authorization": f"Bearer {viewer.token if token is None else token}"}
    return await viewer.http.post("/api/playback/trouble", json=body, headers=headers)


def logged(logs: list[Any]) -> list[Any]:
    return [line for line in logs if line["event"] == "stream_trouble"]


async def test_a_report_is_one_line_of_the_log_with_the_file_and_nothing_of_the_viewer(
    admin: Admin, phone: ViewerClient
) -> None:
    ticket = await admin.ticket()
    await phone.validate(ticket["code"])
    with capture_logs() as logs:
        answer = await report(phone, {"kind": "missing", "file": "720p/17.ts", "status": 404, "viewer": "me"})
        await report(phone, {"kind": "missing", "file": "720p/18.ts", "status": 404})
    assert (answer.status_code, answer.json()) == (200, {"noted": True})
    about = {"event_id": ticket["eventId"], "kind": "missing", "file": "720p/17.ts", "status": 404}
    assert logged(logs) == [{"event": "stream_trouble", "log_level": "warning"} | about]


async def test_the_seventh_report_of_a_minute_is_answered_and_ignored(admin: Admin, phone: ViewerClient) -> None:
    await phone.validate((await admin.ticket())["code"])
    answers = [await report(phone, {"kind": "stalled"}) for _ in range(7)]
    assert [answer.json()["noted"] for answer in answers] == [True] * 6 + [False]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"kind": "slow"},
        {"kind": "missing", "file": "../secret"},
        {"kind": "missing", "file": "a.ts?token=x"},
        {"kind": "missing", "file": "a" * 130 + ".ts"},
        {"kind": "missing", "status": 7},
        [],
    ],
)
async def test_an_invalid_report_is_refused_and_not_logged(admin: Admin, phone: ViewerClient, body: Any) -> None:
    await phone.validate((await admin.ticket())["code"])
    with capture_logs() as logs:
        answer = await report(phone, body)
    assert (answer.status_code, answer.json()["reason"]) == (400, "malformed")
    assert logged(logs) == []


async def test_reports_require_a_valid_token(phone: ViewerClient) -> None:
    assert (await report(phone, {"kind": "stalled"}, token="no token")).status_code == 401


def test_each_event_and_kind_has_its_own_line_and_the_next_comes_after_a_minute() -> None:
    reports = TroubleReports()
    with capture_logs() as logs:
        for now in (0.0, 1.0, 59.0, 61.0):
            for event in ("one", "other"):
                for kind in (TroubleKind.BROKEN, TroubleKind.MISSING):
                    reports.report_trouble(event, f"{event} {kind} {now}", Trouble(kind), now)
    lines = [(line["event_id"], line["kind"]) for line in logged(logs)]
    assert sorted(lines) == sorted([(e, k) for e in ("one", "other") for k in ("broken", "missing")] * 2)
