"""Activity reports of sidecars: they keep sessions alive, revive none, and show shared tickets."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest
from sqlalchemy import insert, select, update

from control_plane.clock import utc_now
from control_plane.tables import LastSeen, Ticket, ViewingSession
from tests.support.clients.api import INTERNAL_KEY, Admin, ControlPlane, ViewerClient, claims_of

pytestmark = pytest.mark.anyio
LONG_AGO = utc_now() - timedelta(hours=1)  # less than a day, after which a session is ended
KEY = {"X-Internal-Api-Key": INTERNAL_KEY}


def session(sid: str, last_seen: datetime, *clients: str) -> dict[str, Any]:
    return {"sid": sid, "lastSeen": last_seen.isoformat(), "clients": list(clients)}


async def post(plane: ControlPlane, sessions: Any, edge: str = "north", key: str = INTERNAL_KEY) -> httpx2.Response:
    body = {"edge": edge, "instance": "1", "sessions": sessions}
    async with plane.browser() as sidecar:
        return await sidecar.post("/internal/activity", json=body, headers={"X-Internal-Api-Key": key})


async def last_seen(plane: ControlPlane, sid: str) -> datetime:
    async with plane.services.database.read() as db:
        found = await db.scalar(select(ViewingSession.last_seen_at).where(ViewingSession.sid == sid))
    assert found
    return found


async def set_last_seen(plane: ControlPlane, moment: datetime = LONG_AGO) -> None:
    async with plane.services.database.write() as db:
        await db.execute(update(LastSeen).values(at=moment))


async def watching(admin: Admin, phone: ViewerClient, **event: Any) -> str:
    """Redeem a code and return the session's id."""
    await phone.validate((await admin.ticket(**event))["code"])
    return claims_of(phone.token).sid or ""


async def test_a_reported_session_is_marked_as_seen(plane: ControlPlane, admin: Admin, phone: ViewerClient) -> None:
    sid, moment = await watching(admin, phone), utc_now() - timedelta(seconds=3)
    await set_last_seen(plane)
    assert (await post(plane, [session(sid, moment)])).status_code == 204
    assert await last_seen(plane, sid) == moment


async def test_last_seen_never_goes_back(plane: ControlPlane, admin: Admin, phone: ViewerClient) -> None:
    sid = await watching(admin, phone)
    before = await last_seen(plane, sid)
    await post(plane, [session(sid, before - timedelta(seconds=5))])
    assert await last_seen(plane, sid) == before


async def test_last_seen_never_goes_past_now(plane: ControlPlane, admin: Admin, phone: ViewerClient) -> None:
    sid = await watching(admin, phone)
    for future in (utc_now() + timedelta(days=1), datetime(8999, 1, 1, tzinfo=UTC)):
        assert (await post(plane, [session(sid, future)])).status_code == 204
        assert await last_seen(plane, sid) <= utc_now()


async def test_of_a_session_that_is_reported_twice_the_later_time_counts(
    plane: ControlPlane, admin: Admin, phone: ViewerClient
) -> None:
    sid, now = await watching(admin, phone), utc_now()
    await set_last_seen(plane)
    moments = (now - timedelta(seconds=9), now - timedelta(seconds=2), now - timedelta(seconds=5))
    await post(plane, [session(sid, moment) for moment in moments])
    assert await last_seen(plane, sid) == moments[1]


async def test_an_ended_session_stays_ended_and_unknown_ones_are_ignored(
    plane: ControlPlane, admin: Admin, phone: ViewerClient, laptop: ViewerClient
) -> None:
    over, live = await watching(admin, phone), await watching(admin, laptop)
    await phone.release()
    await set_last_seen(plane)
    before = await last_seen(plane, over)
    answer = await post(plane, [session(sid, utc_now()) for sid in (over, "unknown", live)])
    assert answer.status_code == 204
    assert await last_seen(plane, over) == before
    assert await last_seen(plane, live) > LONG_AGO
    assert (await phone.heartbeat()).status_code == 404


async def test_playing_keeps_a_seat_that_would_be_lost_by_silence(
    plane: ControlPlane, admin: Admin, phone: ViewerClient, laptop: ViewerClient
) -> None:
    await watching(admin, phone)
    sid = claims_of(phone.token).sid or ""
    object.__setattr__(plane.services.rules, "counting_since", LONG_AGO)
    code = claims_of(phone.token).sub
    await set_last_seen(plane)
    await post(plane, [session(sid, utc_now())])
    assert (await laptop.validate(code)).status_code == 409
    await set_last_seen(plane)
    assert (await laptop.validate(code)).status_code == 200


@pytest.mark.parametrize("sessions", [None, {}, [1], [{"sid": "x"}], [session("x", LONG_AGO), {"sid": 1}]])
async def test_an_invalid_report_is_not_applied_at_all(
    plane: ControlPlane, admin: Admin, phone: ViewerClient, sessions: Any
) -> None:
    sid = await watching(admin, phone)
    await set_last_seen(plane)
    good = [session(sid, utc_now(), "a")]
    answer = await post(plane, [*good, *sessions] if isinstance(sessions, list) else sessions)
    assert (answer.status_code, answer.json()["reason"]) == (400, "malformed")
    assert await last_seen(plane, sid) == LONG_AGO
    assert plane.services.clients.of([sid], utc_now()) == {sid: 0}


async def test_reports_require_the_internal_key(plane: ControlPlane, admin: Admin, phone: ViewerClient) -> None:
    sid = await watching(admin, phone)
    await set_last_seen(plane)
    assert (await post(plane, [session(sid, utc_now())], key="wrong")).status_code == 401
    assert await last_seen(plane, sid) == LONG_AGO


async def test_ten_thousand_sessions_fit_into_one_report_and_are_written_at_once(
    plane: ControlPlane, admin: Admin
) -> None:
    ticket, sids = await admin.ticket(), [f"session-{number:014d}" for number in range(10_000)]
    await make_sessions(plane, ticket["id"], sids)
    moment = utc_now()
    report = [session(sid, moment, *("f" * 32 for _ in range(4))) for sid in sids]
    answer = await post(plane, report)
    assert answer.status_code == 204
    async with plane.services.database.read() as db:
        seen = await db.scalars(select(ViewingSession.last_seen_at).distinct())
    assert list(seen) == [moment]


async def make_sessions(plane: ControlPlane, ticket_id: str, sids: Sequence[str]) -> None:
    columns = {"started_at": LONG_AGO, "client_ip": "", "user_agent": "", "carrier": "header"}
    rows = [
        columns | {"sid": sid, "ticket_id": ticket_id, "seat": seat, "token_issued_at": 0, "token_expires_at": 0}
        for seat, sid in enumerate(sids)
    ]
    async with plane.services.database.write() as db:
        assert await db.get(Ticket, ticket_id)
        await db.execute(insert(ViewingSession), rows)
        await db.execute(insert(LastSeen), [{"sid": sid, "at": LONG_AGO} for sid in sids])


async def test_an_oversized_report_is_refused_and_other_bodies_stay_small(plane: ControlPlane) -> None:
    async with plane.browser() as sidecar:
        body = b"{" + b" " * 9_000_000 + b"}"
        assert (await sidecar.post("/internal/activity", content=body, headers=KEY)).status_code == 413
        assert (await sidecar.post("/api/tokens/validate", content=b" " * 70_000)).status_code == 413


async def test_an_admin_sees_who_is_watching_and_who_shares_a_ticket(
    plane: ControlPlane, admin: Admin, phone: ViewerClient, laptop: ViewerClient
) -> None:
    shared, alone = await watching(admin, phone), await watching(admin, laptop, title="Ballet")
    await post(plane, [session(shared, utc_now(), "a"), session(alone, utc_now(), "c")], edge="north")
    await post(plane, [session(shared, utc_now(), "a", "b")], edge="south")
    listed = (await admin.list("/sessions"))["data"]
    by_sid = {row["sid"]: row for row in listed}
    assert {sid: (row["clients"], row["isShared"]) for sid, row in by_sid.items()} == {
        shared: (2, True),
        alone: (1, False),
    }
    row = by_sid[alone]
    assert (row["eventTitle"], row["label"], row["carrier"]) == ("Ballet", None, "header")
    assert row["device"].startswith("python-httpx")
    assert datetime.fromisoformat(row["since"]) <= datetime.fromisoformat(row["lastSeenAt"])


async def test_live_sessions_are_listed_in_pages_by_event(
    admin: Admin, phone: ViewerClient, laptop: ViewerClient
) -> None:
    first, second = await watching(admin, phone), await watching(admin, laptop)
    page = await admin.list("/sessions", limit=1)
    assert [row["sid"] for row in page["data"]] == [second]
    assert page["pagination"] == {"page": 1, "limit": 1, "total": 2, "totalPages": 2}
    assert [row["sid"] for row in (await admin.list("/sessions", limit=1, page=2))["data"]] == [first]
    of_event = await admin.list("/sessions", eventId=claims_of(phone.token).eid)
    assert [row["sid"] for row in of_event["data"]] == [first]
    await phone.release()
    assert [row["sid"] for row in (await admin.list("/sessions"))["data"]] == [second]


async def test_a_kicked_session_ends_and_its_ticket_stays_valid(
    plane: ControlPlane, admin: Admin, phone: ViewerClient, laptop: ViewerClient
) -> None:
    sid = await watching(admin, phone)
    answer = await admin.http.delete(f"/api/admin/sessions/{sid}")
    assert (answer.status_code, answer.json()["data"]["endReason"]) == (200, "kicked")
    [change] = (await plane.feed())["changes"]
    assert (change["kind"], change["id"], change["revoked"]) == ("session", sid, True)
    assert answer.json()["revocation"] == (await plane.feed())["cursor"]
    assert (await phone.heartbeat()).json()["reason"] == "kicked"
    assert (await laptop.validate(claims_of(phone.token).sub)).status_code == 200
    again = await admin.http.delete(f"/api/admin/sessions/{sid}")
    assert again.json()["data"] == answer.json()["data"]


@pytest.mark.parametrize("sid", ["unknown", "%00", "x" * 65])
async def test_a_session_that_does_not_exist_cannot_be_kicked(admin: Admin, sid: str) -> None:
    assert (await admin.http.delete(f"/api/admin/sessions/{sid}")).status_code == 404
