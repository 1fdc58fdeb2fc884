"""The time when sessions were last seen: concurrent writes, and the final value of ended sessions."""

from datetime import datetime, timedelta
from functools import partial

import anyio
import pytest
from sqlalchemy import select, update

from control_plane.access.retention import Retention
from control_plane.clock import utc_now
from control_plane.db.database import Lock, hold
from control_plane.lifecycle import revocation
from control_plane.sessions import last_seen
from control_plane.tables import LastSeen, Ticket, ViewingSession
from tests.support.clients.api import Admin, ControlPlane, ViewerClient, claims_of

pytestmark = [pytest.mark.anyio, pytest.mark.both_databases]
LONG_AGO = utc_now() - timedelta(minutes=50)
SIDS = [f"session-{number:04d}" for number in range(300)]


async def move(plane: ControlPlane, *sids: str, by: float = 0) -> None:
    now = utc_now()
    async with plane.services.database.write() as db:
        await last_seen.move(db, dict.fromkeys(sids, now.timestamp() - by), now)


async def known(plane: ControlPlane) -> dict[str, datetime]:
    async with plane.services.database.read() as db:
        return {sid: at for sid, at in await db.execute(select(LastSeen.sid, LastSeen.at))}  # noqa: C416 - rows are not tuples


async def seen(plane: ControlPlane, sid: str) -> datetime | None:
    async with plane.services.database.read() as db:
        return await db.scalar(select(ViewingSession.last_seen_at).where(ViewingSession.sid == sid))


async def begin(plane: ControlPlane, admin: Admin, phone: ViewerClient) -> str:
    """Begin a session that was last seen long ago."""
    await phone.validate((await admin.ticket())["code"])
    async with plane.services.database.write() as db:
        await db.execute(update(LastSeen).values(at=LONG_AGO))
    return claims_of(phone.token).sid or ""


async def test_many_writers_of_the_same_rows_in_any_order_do_not_deadlock(
    plane: ControlPlane, admin: Admin, phone: ViewerClient
) -> None:
    sid = await begin(plane, admin, phone)
    async with plane.services.database.write() as db:
        db.add_all(LastSeen(sid=other, at=LONG_AGO) for other in SIDS)
    refreshed = []

    async def refresh() -> None:
        refreshed.append((await phone.refresh()).status_code)

    async with anyio.create_task_group() as tasks:
        for number in range(8):
            order = [*SIDS, sid][:: 1 if number % 2 else -1]
            tasks.start_soon(partial(move, plane, *order, by=number))
            tasks.start_soon(refresh)
    assert set(refreshed) == {200}
    assert all(at > LONG_AGO for at in (await known(plane)).values())


async def test_a_refresh_counts_as_a_heartbeat_and_never_moves_the_time_back(
    plane: ControlPlane, admin: Admin, phone: ViewerClient
) -> None:
    sid, before = await begin(plane, admin, phone), utc_now()
    assert (await phone.refresh()).status_code == 200
    assert (await seen(plane, sid) or LONG_AGO) >= before
    later = utc_now() + timedelta(seconds=30)
    async with plane.services.database.write() as db:
        await db.execute(update(LastSeen).values(at=later))
    assert (await phone.refresh()).status_code == 200
    assert await seen(plane, sid) == later


async def test_beginning_or_ending_a_session_does_not_wait_for_reports_to_be_written(
    plane: ControlPlane, admin: Admin, phone: ViewerClient, laptop: ViewerClient
) -> None:
    if plane.services.database.is_sqlite:
        return  # SQLite has one writer at a time anyway
    sid = await begin(plane, admin, phone)
    async with plane.services.database.write() as db:
        await hold(db, Lock.LAST_SEEN)
        await db.execute(update(LastSeen).values(at=utc_now()))
        with anyio.fail_after(25):
            assert (await laptop.validate((await admin.ticket())["code"])).status_code == 200
            assert (await phone.release()).status_code == 200
    assert await seen(plane, sid) == LONG_AGO


@pytest.mark.parametrize("how", ["released", "revoked", "deactivated", "several"])
async def test_the_last_seen_time_of_an_ended_session_does_not_change(
    plane: ControlPlane, admin: Admin, phone: ViewerClient, how: str
) -> None:
    sid = await begin(plane, admin, phone)
    async with plane.services.database.write() as db:
        [ticket] = await db.scalars(select(Ticket))
        if how == "revoked":
            await revocation.revoke(db, ticket.id, utc_now())
        if how == "several":
            await revocation.revoke_all(db, [ticket.id], utc_now())
        if how == "deactivated":
            await revocation.deactivate(db, ticket.event_id, utc_now())
    if how == "released":
        await phone.release()
    await move(plane, sid)
    assert await seen(plane, sid) == LONG_AGO
    happenings = (await admin.list(f"/tokens/{ticket.id}/history"))["data"]["happenings"]
    [session] = [one["session"] for one in happenings if one["session"]]
    assert datetime.fromisoformat(session["lastSeenAt"]) == LONG_AGO


async def test_rows_of_ended_or_deleted_sessions_are_removed(
    plane: ControlPlane, admin: Admin, phone: ViewerClient, laptop: ViewerClient
) -> None:
    await begin(plane, admin, phone)
    live = await begin(plane, admin, laptop)
    await phone.release()
    async with plane.services.database.write() as db:
        db.add(LastSeen(sid="of a session that was deleted", at=LONG_AGO))
    await Retention(timedelta(days=365)).apply(plane.services.database, utc_now(), anyio.Event())
    assert set(await known(plane)) == {live}
