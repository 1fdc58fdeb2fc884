"""Many heartbeats: each gets the current state, all are written soon, and none is lost at a clean stop."""

from datetime import datetime, timedelta

import anyio
import pytest
from sqlalchemy import select, text, update
from structlog.testing import capture_logs

from authz_sidecar.contract.playback_token import Claims
from control_plane.clock import utc_now
from control_plane.errors import SessionOver, SessionTakenOver
from control_plane.sessions import activity
from control_plane.sessions.heartbeats import Heartbeats
from control_plane.sessions.reports import ActivityReport
from control_plane.tables import LastSeen, ViewingSession
from tests.support.clients.api import Admin, ControlPlane, ViewerClient, claims_of, make_settings, running

pytestmark = [pytest.mark.anyio, pytest.mark.both_databases]
LONG_AGO = utc_now() - timedelta(hours=1)  # less than a day, after which a session is ended
SOON_SECONDS = 20


async def last_seen(plane: ControlPlane, sid: str | None) -> datetime:
    async with plane.services.database.read() as db:
        found = await db.scalar(select(ViewingSession.last_seen_at).where(ViewingSession.sid == sid))
    assert found
    return found


async def watching(plane: ControlPlane, admin: Admin, phone: ViewerClient, **event: str) -> Claims:
    """Begin a session that was last seen long ago."""
    assert (await phone.validate((await admin.ticket(**event))["code"])).status_code == 200
    async with plane.services.database.write() as db:
        await db.execute(update(LastSeen).values(at=LONG_AGO))
    return claims_of(phone.token)


async def is_seen_again(plane: ControlPlane, claims: Claims) -> None:
    with anyio.fail_after(SOON_SECONDS):
        while await last_seen(plane, claims.sid) == LONG_AGO:
            continue


async def test_a_heartbeat_is_written_soon_after_it_was_answered(
    plane: ControlPlane, admin: Admin, phone: ViewerClient
) -> None:
    claims, before = await watching(plane, admin, phone), utc_now()
    assert (await phone.heartbeat()).json()["ok"] is True
    after = utc_now()
    await is_seen_again(plane, claims)
    assert before <= await last_seen(plane, claims.sid) <= after


async def test_a_heartbeat_reports_how_long_the_session_was_silent_before(
    plane: ControlPlane, admin: Admin, phone: ViewerClient
) -> None:
    claims = await watching(plane, admin, phone)
    silent = (utc_now() - LONG_AGO).total_seconds()
    assert silent <= (await phone.heartbeat()).json()["secondsSilent"] < silent + 60
    await is_seen_again(plane, claims)
    assert (await phone.heartbeat()).json()["secondsSilent"] < 60


async def test_activity_reports_count_as_previous_heartbeats(
    plane: ControlPlane, admin: Admin, phone: ViewerClient
) -> None:
    claims = await watching(plane, admin, phone)
    async with plane.services.database.write() as db:
        await activity.note(db, ActivityReport([claims.sid or ""], [utc_now().timestamp() - 7], [[]]), utc_now())
    assert 7 <= (await phone.heartbeat()).json()["secondsSilent"] < 60


async def test_a_clean_stop_loses_no_heartbeat(plane: ControlPlane, admin: Admin, phone: ViewerClient) -> None:
    claims, moment = await watching(plane, admin, phone), utc_now()
    heartbeats, stop = Heartbeats(plane.services.database), anyio.Event()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(heartbeats.run, stop)
        await heartbeats.beat(claims, moment)
        stop.set()
    assert await last_seen(plane, claims.sid) == moment


async def test_of_several_heartbeats_the_latest_counts(plane: ControlPlane, admin: Admin, phone: ViewerClient) -> None:
    claims, now = await watching(plane, admin, phone), utc_now()
    heartbeats, stop = Heartbeats(plane.services.database), anyio.Event()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(heartbeats.run, stop)
        for ago in (5, 1, 3):
            await heartbeats.beat(claims, now - timedelta(seconds=ago))
        stop.set()
    assert await last_seen(plane, claims.sid) == now - timedelta(seconds=1)


async def test_a_session_ended_by_another_process_learns_it_at_its_next_heartbeat(
    plane: ControlPlane, database_url: str, admin: Admin, phone: ViewerClient
) -> None:
    await watching(plane, admin, phone, sessionPolicy="takeover")
    assert (await phone.heartbeat()).status_code == 200
    async with running(make_settings(database_url)) as other, other.browser() as http:
        laptop = ViewerClient(http)
        assert (await laptop.validate(claims_of(phone.token).sub, takeover=True)).status_code == 200
        assert (await phone.heartbeat()).status_code == 409
        assert (await laptop.release()).status_code == 200
        answer = await ViewerClient(plane.browser()).heartbeat(laptop.token)
        assert (answer.status_code, answer.json()["reason"]) == (404, "released")


async def test_a_late_heartbeat_does_not_revive_a_session(
    plane: ControlPlane, admin: Admin, phone: ViewerClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("control_plane.sessions.heartbeats._WRITE_EVERY_SECONDS", 3600)
    claims = await watching(plane, admin, phone)
    heartbeats, stop = Heartbeats(plane.services.database), anyio.Event()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(heartbeats.run, stop)
        await heartbeats.beat(claims, utc_now())
        await phone.release()
        stop.set()
    assert await last_seen(plane, claims.sid) == LONG_AGO
    assert (await phone.heartbeat()).status_code == 404


async def test_thousands_of_simultaneous_heartbeats_are_batched_and_answered_individually(
    plane: ControlPlane, admin: Admin, phone: ViewerClient, laptop: ViewerClient
) -> None:
    live = await watching(plane, admin, phone)
    over = await watching(plane, admin, laptop, sessionPolicy="takeover")
    async with plane.browser("192.0.2.30") as http:
        await ViewerClient(http).validate(over.sub, takeover=True)
    told: list[type[Exception] | None] = []

    async def beat(claims: Claims) -> None:
        try:
            await plane.services.heartbeats.beat(claims, utc_now())
        except (SessionOver, SessionTakenOver) as refusal:
            told.append(type(refusal))
        else:
            told.append(None)

    unknown = [Claims(eid=live.eid, iat=live.iat, exp=live.exp, sub=live.sub, sid=f"{n:022d}") for n in range(3000)]
    async with anyio.create_task_group() as tasks:
        for claims in (*[live] * 1000, *[over] * 1000, *unknown):
            tasks.start_soon(beat, claims)
    assert {kind: told.count(kind) for kind in set(told)} == {None: 1000, SessionTakenOver: 1000, SessionOver: 3000}
    await is_seen_again(plane, live)


async def test_heartbeats_are_answered_while_another_writer_is_active(
    plane: ControlPlane, admin: Admin, phone: ViewerClient
) -> None:
    claims = await watching(plane, admin, phone)
    async with plane.services.database.write() as db:
        await db.execute(text("DELETE FROM edge"))
        with anyio.fail_after(SOON_SECONDS):
            for _ in range(5):
                assert (await phone.heartbeat()).status_code == 200
    await is_seen_again(plane, claims)


async def test_heartbeats_that_could_not_be_written_are_retried_and_logged_once(
    plane: ControlPlane, admin: Admin, phone: ViewerClient
) -> None:
    claims = await watching(plane, admin, phone)
    view = "CREATE VIEW last_seen AS SELECT DISTINCT * FROM only_read"
    await execute(plane, "ALTER TABLE last_seen RENAME TO only_read", view)
    with capture_logs() as logs:
        with anyio.fail_after(SOON_SECONDS):
            while not logs:
                assert (await phone.heartbeat()).status_code == 200
        await execute(plane, "DROP VIEW last_seen", "ALTER TABLE only_read RENAME TO last_seen")
        await is_seen_again(plane, claims)
    assert [entry["event"] for entry in logs] == ["signs_of_life_not_written"]


async def execute(plane: ControlPlane, *statements: str) -> None:
    async with plane.services.database.write() as db:
        for statement in statements:
            await db.execute(text(statement))
