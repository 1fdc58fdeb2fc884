"""The dashboard's figures are correct."""

import math
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from control_plane import cost_limited_cache
from control_plane.access import audit
from control_plane.access.actors import Actor
from control_plane.access.audit import About
from control_plane.lifecycle import dashboard
from control_plane.tables import Event, LastSeen, Ticket, ViewingSession
from tests.support.clients.api import Admin, ControlPlane, ViewerClient

pytestmark = [pytest.mark.anyio, pytest.mark.both_databases]
NOON = datetime(2026, 6, 1, 12, 7, tzinfo=UTC)


async def figures(admin: Admin) -> dict[str, Any]:
    found: dict[str, Any] = (await admin.list("/dashboard"))["data"]
    return found


async def test_an_empty_database_has_zero_figures(admin: Admin) -> None:
    found = await figures(admin)
    viewers = found.pop("viewers")
    assert found == {
        "activeEvents": 0,
        "liveEvents": 0,
        "current": [],
        "tickets": {"unused": 0, "redeemed": 0, "revoked": 0, "expired": 0},
        "watching": 0,
        "upcoming": [],
        "edges": [],
        "refusals": [],
    }
    assert len(viewers) == 97
    assert {point["watching"] for point in viewers} == {0}


async def test_events_are_counted_and_the_next_five_are_listed(admin: Admin) -> None:
    for hours in (9, 3, 7, 5, 11, 1):
        await admin.create_event(hours, hours + 1, title=f"In {hours} hours")
    await admin.create_event()
    await admin.create_event(-3, -1)
    closed = await admin.create_event()
    await admin.patch("events", closed, "deactivate")
    found = await figures(admin)
    assert (found["activeEvents"], found["liveEvents"]) == (7, 1)
    assert [event["title"] for event in found["upcoming"]] == [f"In {hours} hours" for hours in (1, 3, 5, 7, 9)]


async def test_tickets_are_counted_by_status_and_viewers_by_live_sessions(
    admin: Admin, phone: ViewerClient, laptop: ViewerClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cost_limited_cache, "QUICK_SECONDS", math.inf)  # never cache a slow count
    event = await admin.create_event(accessWindowHours=1)
    first, second, third, _ = await admin.codes(event, 4)
    await admin.codes(await admin.create_event(-9, -5, accessWindowHours=1), 2)
    await phone.validate(first["code"])
    await laptop.validate(second["code"])
    await admin.patch("tokens", third["id"], "revoke")
    found = await figures(admin)
    assert found["tickets"] == {"unused": 1, "redeemed": 2, "revoked": 1, "expired": 2}
    assert found["watching"] == found["viewers"][-1]["watching"] == 2
    await laptop.release()
    assert (await figures(admin))["watching"] == 1


async def test_refusals_are_counted_by_their_reason(plane: ControlPlane, admin: Admin) -> None:
    now = datetime.now(UTC)
    said = [("revoked", 0.5), ("revoked", 2), ("unknown", 3), ("unknown", 23), ("unknown", 25), ("ok", 0.1)]
    async with plane.services.database.write() as db:
        for outcome, hours in said:
            audit.record(db, Actor.viewer("::"), audit.REDEEM, now - timedelta(hours=hours), About(), outcome)
        audit.record(db, Actor.viewer("::"), "session.kick", now, About(), "forbidden")
    assert (await figures(admin))["refusals"] == [
        {"reason": "revoked", "lastHour": 1, "lastDay": 2},
        {"reason": "unknown", "lastHour": 0, "lastDay": 2},
    ]


async def test_the_last_day_is_reported_in_quarters_of_an_hour(plane: ControlPlane) -> None:
    """Sessions by the minutes before noon at which they began and ended, including earlier and live ones.

    One never ended and has been silent since four hours before noon.
    """
    spans = [(60 * 30, 60 * 25), (60 * 30, 60 * 23), (60 * 30, None), (130, 70), (60, 53), (1, None), (60 * 6, None)]
    async with plane.services.database.write() as db:
        soon, times = NOON + timedelta(days=900), {"created_at": NOON, "updated_at": NOON}
        event = Event(title="Concert", starts_at=NOON, ends_at=soon, **times)
        db.add(event)
        await db.flush()
        for number, (began, ended) in enumerate(spans):
            ticket = Ticket(code=f"Code{number}", event_id=event.id, expires_at=soon, created_at=NOON)
            db.add(ticket)
            await db.flush()
            at = NOON - timedelta(minutes=began)
            values = {"seat": 0, "client_ip": "", "user_agent": "", "token_issued_at": 0, "token_expires_at": 0}
            session = ViewingSession(sid=f"s{number}", ticket_id=ticket.id, started_at=at, **values)
            session.ended_at = None if ended is None else NOON - timedelta(minutes=ended)
            db.add_all([session, LastSeen(sid=session.sid, at=NOON - timedelta(hours=4 if began == 60 * 6 else 0))])
    async with plane.services.database.read() as db:
        points = await dashboard.viewers_of_a_day(db, NOON, NOON - timedelta(minutes=1))
    by_time = dict(points)
    assert points[0][0] == datetime(2026, 5, 31, 12, 15, tzinfo=UTC)
    assert [at for at, _ in points] == sorted(by_time)
    assert by_time[points[0][0]] == 2
    assert by_time[NOON - timedelta(hours=23, minutes=7)] == 2  # 13:00; one of them ends at 13:07
    assert by_time[NOON - timedelta(hours=22, minutes=52)] == 1
    assert by_time[datetime(2026, 6, 1, 7, 0, tzinfo=UTC)] == 2  # last seen at 8:00
    assert by_time[datetime(2026, 6, 1, 9, 0, tzinfo=UTC)] == 1
    assert by_time[datetime(2026, 6, 1, 10, 0, tzinfo=UTC)] == 2  # since 9:57
    assert by_time[datetime(2026, 6, 1, 11, 0, tzinfo=UTC)] == 1  # until 10:57
    assert by_time[datetime(2026, 6, 1, 11, 15, tzinfo=UTC)] == 1  # from 11:07 to 11:14
    assert by_time[NOON] == 2
