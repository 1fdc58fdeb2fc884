"""Import of own codes: all or none, with questions about doubtful lines."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta

import httpx2
import pytest

from tests.support.clients.api import UNKNOWN_ID, Admin, ControlPlane, ViewerClient, claims_of

pytestmark = pytest.mark.anyio


async def send(
    admin: Admin, event_id: str, text: str | bytes, media_type: str = "text/csv", **query: str
) -> httpx2.Response:
    body = text.encode() if isinstance(text, str) else text
    path = f"/api/admin/events/{event_id}/tokens/import"
    return await admin.http.post(path, content=body, params=query, headers={"Content-Type": media_type})


async def total(admin: Admin) -> int:
    return int((await admin.list("/tokens"))["pagination"]["total"])


async def test_own_codes_are_imported_with_their_labels_and_can_be_redeemed(admin: Admin, phone: ViewerClient) -> None:
    event_id = await admin.create_event(accessWindowHours=2)
    answer = await send(admin, event_id, "code,label\nSUMMER2027,Press\nsummer2027,\n")
    assert answer.status_code == 201, answer.text
    assert answer.json()["data"] == {"isDryRun": False, "codes": 2, "imported": 2, "problems": []}
    made = {ticket["code"]: ticket for ticket in (await admin.list("/tokens"))["data"]}
    assert {code: ticket["label"] for code, ticket in made.items()} == {"SUMMER2027": "Press", "summer2027": None}
    ends_at = datetime.fromisoformat((await admin.list(f"/events/{event_id}"))["data"]["endsAt"])
    assert {datetime.fromisoformat(one["expiresAt"]) for one in made.values()} == {ends_at + timedelta(hours=2)}
    assert (await phone.validate("SUMMER2027")).status_code == 200
    assert [one["id"] for one in (await admin.list("/tokens", search="press"))["data"]] == [made["SUMMER2027"]["id"]]


async def test_a_dry_run_reports_all_errors_and_changes_nothing(admin: Admin) -> None:
    event_id = await admin.create_event()
    assert (await send(admin, event_id, "TAKEN12345\n")).status_code == 201
    answer = await send(admin, event_id, "good123456\nTAKEN12345\nbad\ngood123456\n", dryRun="true")
    assert answer.status_code == 200
    report = answer.json()["data"]
    assert (report["isDryRun"], report["codes"], report["imported"]) == (True, 4, 0)
    assert not any(one["isQuestion"] for one in report["problems"])
    assert {one["line"]: one["problem"] for one in report["problems"]} == {
        2: "A ticket with this code already exists.",
        3: "A code has 8 to 64 letters and digits, A to Z without accents.",
        4: "The same code is in line 1.",
    }
    assert (await send(admin, event_id, "fine123456\n", dryRun="true")).json()["data"]["problems"] == []
    assert await total(admin) == 1


async def test_doubtful_lines_are_imported_or_skipped_as_answered(admin: Admin, phone: ViewerClient) -> None:
    event_id = await admin.create_event()
    body = "Eintritt\nk7F2x9M4b1\nPartytime\n"
    for query in ({"dryRun": "true"}, {}):
        answer = await send(admin, event_id, body, **query)
        asked = {"line 1": "This looks like a heading, not a code."}
        asked["line 3"] = "This looks like a word, not a code: it has no digit."
        if query:
            told = answer.json()["data"]["problems"]
            assert [one["isQuestion"] for one in told] == [True, True]
            assert {f"line {one['line']}": one["problem"] for one in told} == asked
        else:
            assert (answer.status_code, answer.json()["reason"]) == (422, "doubtful")
            assert answer.json()["error"] == "2 lines are doubtful; nothing was imported."
            assert answer.json()["fields"] == asked
    assert await total(admin) == 0
    assert (await send(admin, event_id, body, doubtful="skip")).json()["data"]["imported"] == 1
    assert (await send(admin, event_id, "Eintritt\nPartytime\n", doubtful="import")).json()["data"]["imported"] == 2
    assert (await phone.validate("partytime")).status_code == 200
    assert (await send(admin, event_id, body, doubtful="perhaps")).status_code == 422


async def test_an_export_can_be_imported(admin: Admin) -> None:
    event_id = await admin.create_event(title="=A; B")
    made = await admin.codes(event_id, 50, "=SUM(A1); -2")
    answer = await admin.http.get(f"/api/admin/events/{event_id}/tokens/export")
    for ticket in made:
        assert (await admin.http.delete(f"/api/admin/tokens/{ticket['id']}")).status_code == 204
    assert (await send(admin, event_id, answer.content)).status_code == 201
    back = (await admin.list("/tokens", limit="100"))["data"]
    assert {(one["code"], one["label"]) for one in back} == {(one["code"], "=SUM(A1); -2") for one in made}


async def test_one_invalid_line_prevents_the_whole_import(admin: Admin) -> None:
    event_id = await admin.create_event()
    lines = [f"CODE{number * 7919:08d}" for number in range(3000)]
    answer = await send(admin, event_id, "\n".join([*lines, "bad", *lines[:1]]))
    assert (answer.status_code, answer.json()["reason"]) == (422, "invalid")
    assert answer.json()["fields"].keys() == {"line 3001", "line 3002"}
    assert await total(admin) == 0
    assert (await send(admin, event_id, "\n".join(lines))).status_code == 201
    assert await total(admin) == 3000
    again = await send(admin, event_id, "\n".join(["FRESH12345", *lines]))
    assert len(again.json()["fields"]) == 3000
    assert await total(admin) == 3000


async def test_ten_thousand_codes_are_imported_at_once(admin: Admin) -> None:
    event_id = await admin.create_event()
    body = "\n".join(f"CODE{number * 7919:08d},Guest {number}" for number in range(10_000))
    assert len(body) > 64 * 1024
    assert (await send(admin, event_id, body)).status_code == 201
    assert await total(admin) == 10_000


@pytest.mark.parametrize(
    ("body", "media_type", "status"),
    [
        ("", "text/csv", 400),
        ("SUMMER2027", "application/json", 400),
        (b"\xff\xfe", "text/csv", 400),
        ("A" * (1024 * 1024 + 1), "text/csv", 413),
    ],
)
async def test_other_files_than_code_lists_are_refused(
    admin: Admin, body: str | bytes, media_type: str, status: int
) -> None:
    event_id = await admin.create_event()
    for query in ({}, {"dryRun": "true"}):
        answer = await send(admin, event_id, body, media_type, **query)
        assert answer.status_code == status
        assert answer.json().keys() == {"error", "reason"}
    assert await total(admin) == 0


async def test_other_bodies_have_a_smaller_limit(admin: Admin) -> None:
    event_id = await admin.create_event()
    path = f"/api/admin/events/{event_id}/tokens/generate"
    answers = [await admin.http.post(path, content=body) for body in (b"x" * 70_000, in_pieces())]
    for answer in answers:
        assert (answer.status_code, answer.headers["content-type"]) == (413, "application/json")
        assert answer.json() == {"error": "The request is too large.", "reason": "content-too-large"}
        assert answer.headers["cache-control"] == "no-store"


async def in_pieces() -> AsyncIterator[bytes]:
    """Yield a body of unknown length."""
    for _ in range(70):
        yield b"x" * 1000


async def test_imports_and_exports_of_a_missing_event_are_refused(admin: Admin) -> None:
    assert (await send(admin, UNKNOWN_ID, "SUMMER2027")).status_code == 404
    assert (await send(admin, UNKNOWN_ID, "SUMMER2027", dryRun="true")).status_code == 404
    assert (await admin.http.get(f"/api/admin/events/{UNKNOWN_ID}/tokens/export")).status_code == 404


async def test_a_deleted_code_can_be_imported_again_and_plays(
    plane: ControlPlane, admin: Admin, phone: ViewerClient
) -> None:
    event_id = await admin.create_event()
    await send(admin, event_id, "SUMMER2027")
    [ticket] = (await admin.list("/tokens"))["data"]
    await phone.validate("SUMMER2027")
    old = phone.token
    assert (await admin.http.delete(f"/api/admin/tokens/{ticket['id']}")).status_code == 204
    assert (await phone.validate("SUMMER2027")).status_code == 401
    assert (await send(admin, event_id, "SUMMER2027")).status_code == 201
    [change] = (await plane.feed())["changes"]
    assert (change["id"], change["revoked"]) == ("SUMMER2027", False)
    assert (await phone.validate("SUMMER2027")).status_code == 200
    begins = datetime.fromisoformat(change["notBefore"]).timestamp()
    assert claims_of(old).iat < begins <= claims_of(phone.token).iat
