"""The audit log at the admin API: filtered, paginated, exported completely, and never changed."""

import ast
import csv
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from control_plane.access import audit, audit_trail
from control_plane.access.actors import Actor
from control_plane.access.audit import About
from control_plane.access.audit_trail import AuditFilter
from control_plane.api.admin_routes import ADMIN_ENDPOINTS
from tests.support.clients.api import UNKNOWN_ID, Admin, ControlPlane

pytestmark = [pytest.mark.anyio, pytest.mark.both_databases]
NOON = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0) - timedelta(days=2)
TICKET = "00000000-0000-4000-8000-00000000000a"
EVENT = "00000000-0000-4000-8000-00000000000b"


async def write(plane: ControlPlane, *entries: tuple[str, About, str]) -> None:
    """Write entries of a viewer, a minute apart, starting at noon."""
    async with plane.services.database.write() as db:
        for minutes, (action, about, outcome) in enumerate(entries):
            at = NOON + timedelta(minutes=minutes)
            audit.record(db, Actor.viewer("192.0.2.10"), action, at, about, outcome)


@pytest.fixture
async def written(plane: ControlPlane) -> None:
    await write(
        plane,
        ("ticket.redeem", About("sid-1", EVENT, TICKET), "ok"),
        ("ticket.redeem", About("0123456789ab"), "unknown"),
        ("ticket.revoke", About(TICKET, EVENT, TICKET, {"count": 1}), "ok"),
        ("ticketing", About(), "ok"),
        ("session.end", About("sid-1", EVENT, TICKET, {"reason": "revoked"}), "ok"),
    )


async def actions(admin: Admin, **query: Any) -> list[str]:
    body = await admin.list("/audit", actor="viewer", **query)
    return [entry["action"] for entry in body["data"]]


@pytest.mark.usefixtures("written")
@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ({}, ["session.end", "ticketing", "ticket.revoke", "ticket.redeem", "ticket.redeem"]),
        ({"action": "ticket."}, ["ticket.revoke", "ticket.redeem", "ticket.redeem"]),
        ({"action": "ticket.redeem"}, ["ticket.redeem", "ticket.redeem"]),
        ({"action": "ticket_"}, []),
        ({"subject": "sid-1"}, ["session.end", "ticket.redeem"]),
        ({"ticketId": TICKET, "outcome": "ok"}, ["session.end", "ticket.revoke", "ticket.redeem"]),
        ({"eventId": EVENT}, ["session.end", "ticket.revoke", "ticket.redeem"]),
        ({"eventId": UNKNOWN_ID}, []),
        ({"outcome": "unknown"}, ["ticket.redeem"]),
        ({"from": f"{NOON:%Y-%m-%dT%H}:02:00Z", "to": f"{NOON:%Y-%m-%dT%H}:04:00Z"}, ["ticketing", "ticket.revoke"]),
        ({"limit": 2, "page": 2}, ["ticket.revoke", "ticket.redeem"]),
    ],
)
async def test_the_log_can_be_narrowed(admin: Admin, query: dict[str, Any], wanted: list[str]) -> None:
    assert await actions(admin, **query) == wanted


@pytest.mark.usefixtures("written")
async def test_an_entry_contains_everything_that_is_known(admin: Admin) -> None:
    body = await admin.list("/audit", action="ticket.revoke")
    [entry] = body["data"]
    assert entry.pop("id") > 0
    assert entry == {
        "at": f"{NOON:%Y-%m-%d}T12:02:00Z",
        "actorKind": "viewer",
        "actor": "viewer",
        "address": "192.0.2.10",
        "action": "ticket.revoke",
        "outcome": "ok",
        "subject": TICKET,
        "eventId": EVENT,
        "ticketId": TICKET,
        "detail": {"count": 1},
    }
    assert body["pagination"] == {"page": 1, "limit": 50, "total": 1, "totalPages": 1}


@pytest.mark.parametrize("query", [{"from": "yesterday"}, {"ticketId": "x"}, {"colour": "red"}, {"action": "x" * 101}])
async def test_an_invalid_filter_is_refused(admin: Admin, query: dict[str, str]) -> None:
    for path in ("/audit", "/audit/export"):
        assert (await admin.http.get(f"/api/admin{path}", params=query)).status_code == 422


async def test_an_admins_actions_are_also_recorded(admin: Admin) -> None:
    await admin.create_event()
    [entry] = (await admin.list("/audit", action="event.create"))["data"]
    assert (entry["actor"], entry["actorKind"], entry["outcome"]) == ("admin", "user", "ok")


@pytest.mark.usefixtures("written")
async def test_the_export_is_csv_without_formulas(plane: ControlPlane, admin: Admin) -> None:
    await write(plane, ("ticket.redeem", About("=cmd|' /C calc'!A0"), "ok"))
    answer = await admin.http.get("/api/admin/audit/export", params={"action": "ticket."})
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"].startswith('attachment; filename="audit-')
    headings, *rows = csv.reader(StringIO(answer.content.decode("utf-8-sig")))
    assert headings[:5] == ["Time", "Kind of actor", "Actor", "Address", "Action"]
    assert len(rows) == 4
    assert {row[6] for row in rows} >= {"'=cmd|' /C calc'!A0", "sid-1"}


async def test_an_export_reads_every_entry_once_despite_concurrent_writes(plane: ControlPlane) -> None:
    async with plane.services.database.write() as db:
        for number in range(2_500):
            at = NOON + timedelta(seconds=number // 7)  # several at the same moment
            audit.record(db, Actor.viewer("192.0.2.10"), "ticket.redeem", at, About(f"s{number}"))
    wanted, seen, sizes = AuditFilter(action="ticket.redeem"), list[str | None](), []
    async for some in audit_trail.everything(plane.services.database, wanted):
        seen += [entry.subject for entry in some]
        sizes.append(len(some))
        await write(plane, *[("ticket.redeem", About("later"), "ok")] * 3)
    assert sizes[:2] == [1_000, 1_000]
    assert sorted(subject for subject in seen if subject != "later") == sorted(f"s{n}" for n in range(2_500))  # type: ignore[type-var]


def test_no_route_changes_an_entry() -> None:
    assert {endpoint.method for endpoint in ADMIN_ENDPOINTS if endpoint.path.startswith("/audit")} == {"GET"}


def test_nothing_but_the_retention_deletes_or_changes_entries() -> None:
    offenders = []
    for file in Path("control_plane").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            is_call = isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
            if is_call and node.func.id in {"delete", "update"} and "AuditEntry" in ast.unparse(node):  # type: ignore[attr-defined]
                offenders.append(file.name)
    assert offenders == []
