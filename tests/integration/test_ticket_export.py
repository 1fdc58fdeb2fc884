"""Export of all codes of an event: any number of them, and without formulas."""

import csv
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from typing import Any

import anyio
import pytest
from sqlalchemy import bindparam, text

from control_plane.db.database import UtcDateTime
from tests.support.clients.api import Admin, ControlPlane, ViewerClient

pytestmark = [pytest.mark.anyio, pytest.mark.both_databases]
HEADINGS = ["Code", "Event Title", "Expires At", "Label", "Status"]
MANY = 100_000


async def exported(admin: Admin, event_id: str, **query: str) -> list[list[str]]:
    answer = await admin.http.get(f"/api/admin/events/{event_id}/tokens/export", params=query)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/csv; charset=utf-8")
    assert answer.content.startswith(b"\xef\xbb\xbf")  # for Excel
    return list(csv.reader(StringIO(answer.content.decode("utf-8-sig"))))


async def test_all_tickets_of_an_event_are_exported_with_their_status(admin: Admin, phone: ViewerClient) -> None:
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
async def test_an_export_can_be_narrowed_to_one_status(admin: Admin, phone: ViewerClient, status: str) -> None:
    event_id = await admin.create_event()
    _, redeemed, revoked = await admin.codes(event_id, 3)
    await phone.validate(redeemed["code"])
    await admin.patch("tokens", revoked["id"], "revoke")
    rows = (await exported(admin, event_id, status=status))[1:]
    assert [row[4] for row in rows] == ([] if status == "expired" else [status])


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", '=HYPERLINK("https://evil.example")'])
async def test_no_label_or_title_is_exported_as_a_formula(admin: Admin, text: str) -> None:
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
    """Insert them in the database: they share their creation time and differ in their ids."""
    made = text("""
        WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < :count)
        INSERT INTO ticket (id, code, event_id, label, is_revoked, tokens_not_before, expires_at, created_at)
        SELECT 'many-' || n, 'MANY' || (10000000 + n), :event, 'Guest ' || n, FALSE, 0, :at, :at FROM numbers
    """)
    at = bindparam("at", datetime(2027, 1, 1, tzinfo=UTC), UtcDateTime())
    async with plane.services.database.write() as db:
        await db.execute(made.bindparams(at), {"count": count, "event": event_id})


def peak_megabytes() -> float:
    """Return the peak memory of this process since the last call (proc(5), clear_refs)."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    [line] = [line for line in status.splitlines() if line.startswith("VmHWM:")]
    return int(line.split()[1]) / 1024


class Drain:
    """A client that reads a response and discards it; `pause` is awaited once, midway."""

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


async def test_a_hundred_thousand_tickets_are_exported_in_constant_memory_during_writes(
    plane: ControlPlane, admin: Admin
) -> None:
    """Kept in memory as rows, nine tenths of them would take more than thirty megabytes."""
    event_id, other = await admin.create_event(), await admin.create_event()
    await add_many(plane, event_id, MANY)

    async def write() -> None:
        with anyio.fail_after(60):
            await admin.codes(other)

    reader = Drain(write)
    cookie = "; ".join(f"{name}={value}" for name, value in admin.http.cookies.items())
    peak_megabytes()
    await reader.read(plane, f"/api/admin/events/{event_id}/tokens/export", cookie)
    assert reader.lines == 1 + MANY
    assert peak_megabytes() < reader.first_peak + 10
