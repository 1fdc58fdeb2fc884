"""Files of tickets: own codes imported all or none, and all codes exported however many there are."""

import csv
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest
from sqlalchemy import bindparam, text

from control_plane.storage.database import UtcDateTime
from tests.support.api import UNKNOWN_ID, Admin, ControlPlane, Viewer, claims_of

pytestmark = pytest.mark.anyio
HEADINGS = ["Code", "Event Title", "Expires At", "Label", "Status"]
MANY = 100_000


async def send(
    admin: Admin, event_id: str, text: str | bytes, media_type: str = "text/csv", **query: str
) -> httpx2.Response:
    body = text.encode() if isinstance(text, str) else text
    path = f"/api/admin/events/{event_id}/tokens/import"
    return await admin.http.post(path, content=body, params=query, headers={"Content-Type": media_type})


async def exported(admin: Admin, event_id: str, **query: str) -> list[list[str]]:
    answer = await admin.http.get(f"/api/admin/events/{event_id}/tokens/export", params=query)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/csv; charset=utf-8")
    assert answer.content.startswith(b"\xef\xbb\xbf")  # for Excel
    return list(csv.reader(StringIO(answer.content.decode("utf-8-sig"))))


async def total(admin: Admin) -> int:
    return int((await admin.list("/tokens"))["pagination"]["total"])


async def test_own_codes_are_imported_with_their_labels_and_can_be_redeemed(admin: Admin, phone: Viewer) -> None:
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


async def test_a_dry_run_says_everything_that_is_wrong_and_changes_nothing(admin: Admin) -> None:
    event_id = await admin.create_event()
    assert (await send(admin, event_id, "TAKEN12345\n")).status_code == 201
    answer = await send(admin, event_id, "good123456\nTAKEN12345\nbad\ngood123456\n", dryRun="true")
    assert answer.status_code == 200
    report = answer.json()["data"]
    assert (report["isDryRun"], report["codes"], report["imported"]) == (True, 4, 0)
    assert not any(one["isQuestion"] for one in report["problems"])
    assert {one["line"]: one["problem"] for one in report["problems"]} == {
        2: "There is a ticket with this code already.",
        3: "A code has 8 to 64 letters and digits, A to Z without accents.",
        4: "The same code is in line 1.",
    }
    assert (await send(admin, event_id, "fine123456\n", dryRun="true")).json()["data"]["problems"] == []
    assert await total(admin) == 1


async def test_doubtful_lines_are_questions_that_an_answer_imports_or_leaves_out(admin: Admin, phone: Viewer) -> None:
    event_id = await admin.create_event()
    body = "Eintritt\nk7F2x9M4b1\nPartytime\n"
    for query in ({"dryRun": "true"}, {}):
        answer = await send(admin, event_id, body, **query)
        asked = {"line 1": "This looks like a heading, not like a code."}
        asked["line 3"] = "This looks like a word, not like a code: it has no digit."
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


async def test_an_export_comes_back_in(admin: Admin) -> None:
    event_id = await admin.create_event(title="=A; B")
    made = await admin.codes(event_id, 50, "=SUM(A1); -2")
    answer = await admin.http.get(f"/api/admin/events/{event_id}/tokens/export")
    for ticket in made:
        assert (await admin.http.delete(f"/api/admin/tokens/{ticket['id']}")).status_code == 204
    assert (await send(admin, event_id, answer.content)).status_code == 201
    back = (await admin.list("/tokens", limit="100"))["data"]
    assert {(one["code"], one["label"]) for one in back} == {(one["code"], "=SUM(A1); -2") for one in made}


async def test_one_bad_line_keeps_all_others_out(admin: Admin) -> None:
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
async def test_what_is_no_file_of_codes_is_refused(
    admin: Admin, body: str | bytes, media_type: str, status: int
) -> None:
    event_id = await admin.create_event()
    for query in ({}, {"dryRun": "true"}):
        answer = await send(admin, event_id, body, media_type, **query)
        assert answer.status_code == status
        assert answer.json().keys() == {"error", "reason"}
    assert await total(admin) == 0


async def test_other_bodies_may_not_be_as_large(admin: Admin) -> None:
    event_id = await admin.create_event()
    path = f"/api/admin/events/{event_id}/tokens/generate"
    answers = [await admin.http.post(path, content=body) for body in (b"x" * 70_000, in_pieces())]
    for answer in answers:
        assert (answer.status_code, answer.headers["content-type"]) == (413, "application/json")
        assert answer.json() == {"error": "The request is too large.", "reason": "content-too-large"}
        assert answer.headers["cache-control"] == "no-store"


async def in_pieces() -> AsyncIterator[bytes]:
    """Give a body whose length nobody knows beforehand."""
    for _ in range(70):
        yield b"x" * 1000


async def test_nothing_is_imported_to_or_exported_from_an_event_that_does_not_exist(admin: Admin) -> None:
    assert (await send(admin, UNKNOWN_ID, "SUMMER2027")).status_code == 404
    assert (await send(admin, UNKNOWN_ID, "SUMMER2027", dryRun="true")).status_code == 404
    assert (await admin.http.get(f"/api/admin/events/{UNKNOWN_ID}/tokens/export")).status_code == 404


async def test_a_code_that_was_deleted_can_come_again_and_plays(
    plane: ControlPlane, admin: Admin, phone: Viewer
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


async def test_all_tickets_of_an_event_are_exported_with_their_status(admin: Admin, phone: Viewer) -> None:
    event_id = await admin.create_event(title="Größe; 50%")
    await admin.codes(await admin.create_event())
    unused, redeemed, revoked = [(await admin.codes(event_id, label=label))[0] for label in ("a, b", None, '"c"')]
    await phone.validate(redeemed["code"])
    await admin.patch("tokens", revoked["id"], "revoke")
    rows = await exported(admin, event_id)
    assert rows[0] == HEADINGS
    assert [row[:2] + row[3:] for row in rows[1:]] == [
        [unused["code"], "Größe; 50%", "a, b", "unused"],
        [redeemed["code"], "Größe; 50%", "", "redeemed"],
        [revoked["code"], "Größe; 50%", '"c"', "revoked"],
    ]
    assert {datetime.fromisoformat(row[2]) for row in rows[1:]} == {datetime.fromisoformat(unused["expiresAt"])}


@pytest.mark.parametrize("status", ["unused", "redeemed", "revoked", "expired"])
async def test_an_export_can_be_narrowed_to_one_status(admin: Admin, phone: Viewer, status: str) -> None:
    event_id = await admin.create_event()
    _, redeemed, revoked = await admin.codes(event_id, 3)
    await phone.validate(redeemed["code"])
    await admin.patch("tokens", revoked["id"], "revoke")
    rows = (await exported(admin, event_id, status=status))[1:]
    assert [row[4] for row in rows] == ([] if status == "expired" else [status])


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", '=HYPERLINK("https://evil.example")'])
async def test_no_spreadsheet_takes_a_label_or_title_for_a_formula(admin: Admin, text: str) -> None:
    event_id = await admin.create_event(title=f"={text}")
    await admin.codes(event_id, label=text)
    row = (await exported(admin, event_id))[1]
    assert row[1].startswith("'")
    assert row[3].startswith("'")


@pytest.mark.parametrize(
    ("title", "plain", "full"),
    [
        ("Concert", "tickets-Concert.csv", "tickets-Concert.csv"),
        ('../../etc/"passwd"', "tickets-etc-passwd.csv", "tickets-..%2F..%2Fetc%2F%22passwd%22.csv"),
        ("Größe\r\nX: y", "tickets-Gr-e-X-y.csv", "tickets-Gr%C3%B6%C3%9Fe%0D%0AX%3A%20y.csv"),
    ],
)
async def test_an_exported_file_has_a_safe_name(admin: Admin, title: str, plain: str, full: str) -> None:
    event_id = await admin.create_event(title=title)
    answer = await admin.http.get(f"/api/admin/events/{event_id}/tokens/export")
    assert answer.headers["content-disposition"] == f"attachment; filename=\"{plain}\"; filename*=UTF-8''{full}"


async def add_many(plane: ControlPlane, event_id: str, count: int) -> None:
    """Let the database make them: they share the moment of their making, and are told apart by their ids."""
    made = text("""
        WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < :count)
        INSERT INTO ticket (id, code, event_id, label, is_revoked, tokens_not_before, expires_at, created_at)
        SELECT 'many-' || n, 'MANY' || (10000000 + n), :event, 'Guest ' || n, FALSE, 0, :at, :at FROM numbers
    """)
    at = bindparam("at", datetime(2027, 1, 1, tzinfo=UTC), UtcDateTime())
    async with plane.services.database.write() as db:
        await db.execute(made.bindparams(at), {"count": count, "event": event_id})


def peak_megabytes() -> float:
    """Give the most memory that this process had since the last time (proc(5), clear_refs)."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    [line] = [line for line in status.splitlines() if line.startswith("VmHWM:")]
    return int(line.split()[1]) / 1024


class Drain:
    """Somebody who reads an answer and keeps nothing of it; `pause` is awaited once, amid the answer."""

    def __init__(self, pause: Callable[[], Awaitable[object]]) -> None:
        self._pause = pause
        self.lines = self.chunks = 0
        self.first_peak = 0.0

    async def read(self, plane: ControlPlane, path: str, cookie: str) -> None:
        names = [(b"host", b"tickets.example"), (b"cookie", cookie.encode())]
        scope = {"type": "http", "method": "GET", "path": path, "query_string": b"", "headers": names}
        asked = {
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "scheme": "http",
            "client": ("", 0),
            "server": ("", 0),
        }
        await plane.transport.app(
            scope | asked | {"raw_path": path.encode(), "root_path": ""}, self._receive, self._take
        )

    async def _receive(self) -> dict[str, Any]:
        await anyio.sleep_forever()
        raise AssertionError

    async def _take(self, message: Any) -> None:
        self.lines += message.get("body", b"").count(b"\r\n")
        self.chunks += 1
        if self.chunks == 10:
            self.first_peak = peak_megabytes()
            await self._pause()


async def test_a_hundred_thousand_tickets_are_exported_in_constant_memory_while_others_write(
    plane: ControlPlane, admin: Admin
) -> None:
    """Kept as the rows that they are read as, nine tenths of them would take more than thirty megabytes."""
    event_id, other = await admin.create_event(), await admin.create_event()
    await add_many(plane, event_id, MANY)

    async def write() -> None:
        with anyio.fail_after(10):
            await admin.codes(other)

    reader = Drain(write)
    cookie = "; ".join(f"{name}={value}" for name, value in admin.http.cookies.items())
    peak_megabytes()
    await reader.read(plane, f"/api/admin/events/{event_id}/tokens/export", cookie)
    assert reader.lines == 1 + MANY
    assert peak_megabytes() < reader.first_peak + 10
