"""Viewers' actions in the audit log: once each, in the same transaction, and never with a code or token."""

import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx2
import pytest
from sqlalchemy import select, update

from control_plane.access import audit
from control_plane.clock import utc_now
from control_plane.db.database import Database
from control_plane.lifecycle import reaper
from control_plane.sessions import redeeming, sessions
from control_plane.tables import AuditEntry, LastSeen, Ticket
from tests.support.clients.api import (
    Admin,
    ControlPlane,
    ViewerClient,
    claims_of,
    cookies_of,
    make_settings,
    older,
    running,
)

pytestmark = [pytest.mark.anyio, pytest.mark.both_databases]
PHONE, LAPTOP = "192.0.2.10", "192.0.2.20"


async def entries(plane: ControlPlane, *conditions: Any) -> Sequence[AuditEntry]:
    """Return the entries of viewers and of automatic changes, oldest first."""
    await plane.services.audit_queue.write_behind()
    async with plane.services.database.read() as db:
        query = select(AuditEntry).where(AuditEntry.actor_kind.in_(["viewer", "system"]), *conditions)
        query = query.where(AuditEntry.action != "user.create")
        return (await db.scalars(query.order_by(AuditEntry.at, AuditEntry.id))).all()


async def recorded(plane: ControlPlane) -> list[tuple[str, str]]:
    return [(entry.action, entry.outcome) for entry in await entries(plane)]


async def why_ended(plane: ControlPlane) -> list[str | None]:
    return [entry.detail for entry in await entries(plane, AuditEntry.action == "session.end")]


async def test_a_redemption_is_one_entry_with_ticket_device_and_session(
    plane: ControlPlane, admin: Admin, phone: ViewerClient
) -> None:
    ticket = await admin.ticket()
    await phone.validate(ticket["code"])
    [entry] = await entries(plane)
    assert (entry.action, entry.outcome, entry.actor, entry.address) == ("ticket.redeem", "ok", "viewer", PHONE)
    assert (entry.ticket_id, entry.event_id) == (ticket["id"], ticket["eventId"])
    assert entry.subject == claims_of(phone.token).sid


async def test_the_entries_of_a_session_cover_it_from_beginning_to_end(
    plane: ControlPlane, admin: Admin, phone: ViewerClient
) -> None:
    await phone.validate((await admin.ticket())["code"])
    first = claims_of(phone.token).sid
    assert (await phone.refresh()).status_code == 200
    await phone.release()
    await phone.resume()
    assert await recorded(plane) == [
        ("ticket.redeem", "ok"),
        ("token.refresh", "ok"),
        ("session.end", "ok"),
        ("session.resume", "ok"),
    ]
    of_first = await entries(plane, AuditEntry.subject == first)
    assert [entry.action for entry in of_first] == ["ticket.redeem", "token.refresh", "session.end"]
    assert await why_ended(plane) == ['{"reason": "released"}']
    assert [entry.address for entry in of_first] == [PHONE] * 3


async def test_a_link_for_the_tv_and_its_end_are_recorded(
    plane: ControlPlane, admin: Admin, phone: ViewerClient
) -> None:
    await phone.validate((await admin.ticket(maxDevices=2))["code"])
    bearer = {"Authorization": f"Bearer {phone.token}"}
    assert (await phone.http.post("/api/playback/tv", headers=bearer)).status_code == 200
    assert (await phone.http.delete("/api/playback/tv", headers=bearer)).json() == {"stopped": True}
    _, issued, ended = await entries(plane)
    assert (issued.action, ended.action) == ("token.issue", "session.end")
    assert issued.subject == ended.subject != claims_of(phone.token).sid


@pytest.mark.parametrize("why", ["revoked", "event"])
async def test_a_bulk_revocation_is_one_entry_with_the_number_of_sessions(
    plane: ControlPlane, admin: Admin, phone: ViewerClient, laptop: ViewerClient, why: str
) -> None:
    ticket = await admin.ticket(maxDevices=2)
    for device in (phone, laptop):
        await device.validate(ticket["code"])
    if why == "revoked":
        await admin.patch("tokens", ticket["id"], "revoke")
    else:
        await admin.patch("events", ticket["eventId"], "deactivate")
    assert await why_ended(plane) == [f'{{"reason": "{why}", "sessions": 2}}']
    [entry] = await entries(plane, AuditEntry.action == "session.end")
    assert (entry.event_id, entry.ticket_id) == (ticket["eventId"], ticket["id"] if why == "revoked" else None)


async def test_revoking_an_unwatched_ticket_ends_no_session(plane: ControlPlane, admin: Admin) -> None:
    await admin.patch("tokens", (await admin.ticket())["id"], "revoke")
    assert await why_ended(plane) == []


async def test_a_takeover_names_the_session_it_ended(
    plane: ControlPlane, admin: Admin, phone: ViewerClient, laptop: ViewerClient
) -> None:
    code = (await admin.ticket(sessionPolicy="takeover"))["code"]
    await phone.validate(code)
    await laptop.validate(code, takeover=True)
    [ended] = await entries(plane, AuditEntry.action == "session.end")
    assert (ended.subject, ended.address) == (claims_of(phone.token).sid, LAPTOP)
    assert ended.detail == '{"reason": "taken-over"}'
    taking = (await entries(plane, AuditEntry.subject == claims_of(laptop.token).sid))[0]
    assert (taking.action, taking.detail) == ("ticket.redeem", '{"takeover": true}')


async def test_kicks_and_the_reaper_also_record_their_reason(
    plane: ControlPlane, admin: Admin, phone: ViewerClient, laptop: ViewerClient
) -> None:
    await phone.validate((await admin.ticket())["code"])
    await admin.http.delete(f"/api/admin/sessions/{claims_of(phone.token).sid}")
    ticket = await admin.ticket()
    await laptop.validate(ticket["code"])
    async with plane.services.database.write() as db:
        await db.execute(update(Ticket).values(expires_at=utc_now() - timedelta(minutes=2)))
    await reaper.clear_up(plane.services.database)
    assert await why_ended(plane) == ['{"reason": "kicked"}', '{"reason": "expired"}']
    [*_, reaped] = await entries(plane)
    assert (reaped.actor_kind, reaped.event_id, reaped.ticket_id) == ("system", ticket["eventId"], ticket["id"])


async def test_a_silent_device_whose_seat_is_claimed_timed_out(
    plane: ControlPlane, admin: Admin, phone: ViewerClient
) -> None:
    code = (await admin.ticket())["code"]
    await phone.validate(code)
    long_ago = utc_now() - timedelta(hours=1)
    async with plane.services.database.write() as db:
        await db.execute(update(LastSeen).values(at=long_ago))
    services = replace(plane.services, rules=replace(plane.services.rules, counting_since=long_ago))
    async with services.database.write() as db:
        await redeeming.redeem(db, code, sessions.Device(LAPTOP, ""), services.rules, utc_now())
    assert await why_ended(plane) == ['{"reason": "timeout"}']


@pytest.mark.parametrize(
    ("why", "outcome"), [("revoke", "revoked"), ("deactivate", "event"), ("expire", "expired"), ("share", "in-use")]
)
async def test_a_refusal_of_a_known_code_belongs_to_its_ticket(
    plane: ControlPlane, admin: Admin, phone: ViewerClient, laptop: ViewerClient, why: str, outcome: str
) -> None:
    ticket = await admin.ticket()
    match why:
        case "revoke":
            await admin.patch("tokens", ticket["id"], "revoke")
        case "deactivate":
            await admin.patch("events", ticket["eventId"], "deactivate")
        case "share":
            await laptop.validate(ticket["code"])
        case _:
            async with plane.services.database.write() as db:
                await db.execute(update(Ticket).values(expires_at=utc_now()))
    assert (await phone.validate(ticket["code"])).json()["reason"] == outcome
    [entry] = await entries(plane, AuditEntry.outcome != "ok")
    assert (entry.action, entry.outcome, entry.address) == ("ticket.redeem", outcome, PHONE)
    assert (entry.ticket_id, entry.event_id, entry.subject) == (ticket["id"], ticket["eventId"], None)


async def test_only_a_digest_of_an_unknown_code_is_stored(plane: ControlPlane, phone: ViewerClient) -> None:
    await phone.validate("Nobodys12345")
    [entry] = await entries(plane)
    assert (entry.outcome, entry.ticket_id) == ("unknown", None)
    assert entry.subject == audit.code_digest("Nobodys12345")
    assert entry.subject is not None
    assert len(entry.subject) == 12


async def test_the_last_refusals_are_written_when_the_control_plane_stops(database_url: str) -> None:
    async with running(make_settings(database_url)) as plane, plane.browser() as http:
        await ViewerClient(http).validate("Nobodys12345")
    database = Database(database_url)
    async with database.read() as db:
        assert list(await db.scalars(select(AuditEntry.outcome).where(AuditEntry.action == audit.REDEEM))) == [
            "unknown"
        ]
    await database.close()


async def test_failed_status_requests_are_recorded_and_successful_ones_are_not(
    plane: ControlPlane, admin: Admin, phone: ViewerClient
) -> None:
    ticket = await admin.ticket()
    path = f"/api/events/{ticket['eventId']}/status"
    assert (await phone.http.get(path, params={"code": ticket["code"]})).status_code == 200
    assert (await phone.http.get(path, params={"code": "Nobodys12345"})).status_code == 401
    assert await recorded(plane) == [("ticket.look-up", "unknown")]


async def test_a_first_visit_without_a_session_is_not_recorded(plane: ControlPlane, phone: ViewerClient) -> None:
    assert (await phone.resume()).status_code == 401
    assert await recorded(plane) == []


async def test_a_refused_resume_and_refresh_belong_to_the_ticket(
    plane: ControlPlane, admin: Admin, phone: ViewerClient
) -> None:
    ticket = await admin.ticket()
    await phone.validate(ticket["code"])
    await admin.patch("tokens", ticket["id"], "revoke")
    sid = claims_of(phone.token).sid
    assert (await phone.refresh()).status_code == 403
    assert (await phone.resume()).status_code == 403
    refused = await entries(plane, AuditEntry.outcome == "revoked")
    assert [entry.action for entry in refused] == ["token.refresh", "session.resume"]
    assert [entry.ticket_id for entry in refused] == [ticket["id"]] * 2
    assert refused[0].subject == sid


async def test_repeated_refusals_are_one_entry_with_a_count(plane: ControlPlane, phone: ViewerClient) -> None:
    began = time.monotonic()
    for number in range(70):
        await phone.validate(f"Guess{number:07}")
    took = time.monotonic() - began
    limited = await entries(plane, AuditEntry.outcome == "rate-limited")
    counted = await entries(plane)
    assert 1 <= len(limited) <= took + 2  # one per write of the queue, which is once a second
    assert len(counted) - len(limited) == 5  # guesses that were looked up and recorded


async def test_a_rolled_back_transaction_leaves_no_entry(plane: ControlPlane, admin: Admin) -> None:
    ticket = await admin.ticket()

    async def redeem_and_fail() -> None:
        async with plane.services.database.write() as db:
            device = sessions.Device(PHONE, "")
            await redeeming.redeem(db, ticket["code"], device, plane.services.rules, utc_now())
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await redeem_and_fail()
    assert await recorded(plane) == []


async def test_no_entry_contains_a_code_token_cookie_or_password(
    plane: ControlPlane, admin: Admin, phone: ViewerClient, laptop: ViewerClient
) -> None:
    ticket = await admin.ticket(sessionPolicy="takeover")
    secrets = [ticket["code"], "Nobodys12345", "not my password"]

    def keep(answer: httpx2.Response) -> None:
        secrets.extend(morsel.value for morsel in cookies_of(answer).values() if morsel.value)
        if answer.status_code == 200:
            secrets.append(answer.json()["playbackToken"])

    keep(await phone.validate(ticket["code"]))
    keep(await phone.refresh())
    keep(await laptop.validate(ticket["code"], takeover=True))
    await phone.validate("Nobodys12345")
    await phone.validate(ticket["code"])
    await laptop.refresh("not.a.token")
    await laptop.refresh(older(laptop.token, 10_000))
    keep(await laptop.resume())
    await laptop.release()
    await admin.sign_in("not my password")
    await admin.codes(ticket["eventId"], 3, label="front row")
    await admin.patch("tokens", ticket["id"], "revoke")
    secrets += [value for jar in (admin.http, phone.http) for value in jar.cookies.values()]
    await plane.services.audit_queue.write_behind()
    async with plane.services.database.read() as db:
        rows = (await db.execute(select(AuditEntry.__table__))).all()
    assert len(rows) > 10
    written = "\n".join(str(tuple(row)) for row in rows)
    assert len(secrets) > 10
    assert [secret for secret in secrets if secret in written] == []
