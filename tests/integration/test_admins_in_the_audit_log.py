"""Actions and refusals of admins, programs and commands are in the audit log, and floods do not fill it."""

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from control_plane.ops.backups import backup
from tests.support.clients.api import (
    SEALER,
    UNKNOWN_ID,
    Admin,
    ControlPlane,
    ViewerClient,
    claims_of,
    event_body,
    make_settings,
    running,
)
from tests.support.clients.staff import audit_of, hire, new_key, program

pytestmark = pytest.mark.anyio


async def refused(plane: ControlPlane, owner: Admin) -> list[dict[str, Any]]:
    await plane.services.audit_queue.write_behind()
    return await audit_of(owner, "api.ask")


async def test_a_forbidden_request_is_recorded_with_its_user_and_route(plane: ControlPlane, admin: Admin) -> None:
    await hire(admin, "olga", "operator")
    async with plane.browser("192.0.2.7") as http:
        await Admin(http).sign_in(username="olga")
        assert (await http.post("/api/admin/events", json=event_body())).status_code == 403
        assert (await http.get("/api/admin/users")).status_code == 403
        assert (await http.get("/api/admin/events")).status_code == 200
    entries = await refused(plane, admin)
    assert {(entry["actorKind"], entry["actor"], entry["address"]) for entry in entries} == {
        ("user", "olga", "192.0.2.7")
    }
    assert [(entry["outcome"], entry["detail"]["route"]) for entry in entries] == [
        ("forbidden", "POST /api/admin/events"),
        ("forbidden", "GET /api/admin/users"),
    ]


async def test_repeated_forbidden_requests_of_a_program_do_not_fill_the_log(plane: ControlPlane, admin: Admin) -> None:
    key = await new_key(admin, "read", name="box office")
    async with program(plane, key["key"]) as http:
        began = time.monotonic()
        for number in range(60):
            ticket_id = f"{number:08}{UNKNOWN_ID[8:]}"
            assert (await http.patch(f"/api/admin/tokens/{ticket_id}/revoke")).status_code == 403
        took = time.monotonic() - began
    entries = await refused(plane, admin)
    assert 1 <= len(entries) <= took + 2  # one per second
    assert sum(entry["detail"].get("times", 1) for entry in entries) == 60
    assert {(entry["actorKind"], entry["actor"], entry["subject"]) for entry in entries} == {
        ("key", "box office", None)
    }
    assert {entry["detail"]["route"] for entry in entries} == {"PATCH /api/admin/tokens/{ticket_id:uuid}/revoke"}


async def test_a_kick_belongs_to_its_event(admin: Admin, phone: ViewerClient) -> None:
    ticket = await admin.ticket()
    await phone.validate(ticket["code"])
    await admin.http.delete(f"/api/admin/sessions/{claims_of(phone.token).sid}")
    of_event = (await admin.list("/audit", eventId=ticket["eventId"], action="session.kick"))["data"]
    assert [(entry["actor"], entry["ticketId"]) for entry in of_event] == [("admin", ticket["id"])]


async def test_the_owner_of_the_settings_is_recorded_once(database_url: str) -> None:
    for _ in range(2):
        async with running(make_settings(database_url)) as plane, plane.browser() as http:
            owner = Admin(http)
            await owner.sign_in()
            [entry] = await audit_of(owner, "user.create")
    assert (entry["actorKind"], entry["subject"], entry["outcome"]) == ("system", "admin", "ok")
    assert entry["detail"] == {"role": "owner", "by": "ADMIN_PASSWORD_HASH"}


async def test_a_restore_is_recorded_in_the_restored_log(database_url: str, tmp_path: Path) -> None:
    file, made_at = tmp_path / "streamgate.backup", datetime(2027, 1, 16, tzinfo=UTC)
    async with running(make_settings(database_url)):
        pass
    await backup.dump(database_url, file, None, made_at)
    await backup.restore(database_url, file, SEALER, force=True)
    async with running(make_settings(database_url)) as plane, plane.browser() as http:
        owner = Admin(http)
        await owner.sign_in()
        listed: list[dict[str, Any]] = (await owner.list("/audit"))["data"]
    assert [(entry["action"], entry["actorKind"]) for entry in listed] == [
        ("sign-in", "user"),
        ("backup.restore", "command"),
        ("user.create", "system"),
    ]
    assert (listed[1]["outcome"], listed[1]["detail"]) == ("ok", {"backupOf": "2027-01-16T00:00:00+00:00"})
