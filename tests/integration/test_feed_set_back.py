"""A database that was set back to an earlier state: no edge continues from a position that this log never issued."""

import json
import time
from datetime import UTC, datetime
from typing import Any

import anyio
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from authz_sidecar.contract.feed import Change, Kind, parse_page
from control_plane.db.database import Database
from control_plane.revocations import revocation_feed
from tests.support.clients.api import Admin, ControlPlane

pytestmark = [pytest.mark.anyio, pytest.mark.both_databases]
COUNTERS = {
    "sqlite": "UPDATE sqlite_sequence SET seq = {n} WHERE name = 'revocation_change'",
    "postgresql": "SELECT setval('revocation_change_n_seq', {n})",
}


async def revoke(admin: Admin, event_id: str, count: int) -> list[str]:
    tickets = await admin.codes(event_id, count)
    for ticket in tickets:
        await admin.patch("tokens", ticket["id"], "revoke")
    return [ticket["code"] for ticket in tickets]


async def set_back(db: AsyncSession, n: int) -> None:
    """Set the log back to its nth change, like an old copy of the database."""
    for table in ("revocation_change", "feed_mark"):
        await db.execute(text(f"DELETE FROM {table} WHERE n > :n"), {"n": n})  # noqa: S608 - ours
    await db.execute(text(COUNTERS[db.get_bind().dialect.name].format(n=n)))


def cuts(*codes: str) -> list[Change]:
    now = time.time()
    return [Change(Kind.CODE, code, True, None, now, now + 3600) for code in codes]


def epoch_of(page: dict[str, Any]) -> str:
    return str(page["cursor"]).partition(".")[0]


def place_of(page: dict[str, Any]) -> str:
    """Return the cursor with which a sidecar continues."""
    return parse_page(json.dumps(page).encode()).place


async def test_an_edge_that_is_ahead_of_the_log_gets_a_snapshot_of_a_new_history(
    plane: ControlPlane, admin: Admin
) -> None:
    event_id = await admin.create_event()
    codes = await revoke(admin, event_id, 3)
    before = (await plane.feed())["cursor"]
    async with plane.services.database.write() as db:
        await set_back(db, 1)
    page = await plane.feed(before)
    assert page["snapshot"] is True
    assert epoch_of(page) != before.partition(".")[0]
    assert [change["id"] for change in page["changes"]] == codes[:1]
    fresh = await revoke(admin, event_id, 2)
    assert [change["id"] for change in (await plane.feed(page["cursor"]))["changes"]] == fresh


async def test_a_running_control_plane_notices_it(plane: ControlPlane, admin: Admin) -> None:
    await revoke(admin, await admin.create_event(), 3)
    before, stop, another = epoch_of(await plane.feed()), anyio.Event(), Database(plane.services.settings.database_url)
    first_look = another.announcements.next(revocation_feed.TOPIC)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(revocation_feed.watch, another, stop)
        with anyio.fail_after(30):
            await first_look.wait()
            async with plane.services.database.write() as db:
                await set_back(db, 1)
                await revocation_feed.append_all(db, cuts("x", "y", "z", "zz"))
            while epoch_of(await plane.feed()) == before:  # noqa: ASYNC110 - there is no event for a new epoch
                await anyio.sleep(0.05)
        stop.set()
    await another.close()


async def test_a_log_that_was_set_back_and_has_grown_past_an_edge_again_is_detected(
    plane: ControlPlane, admin: Admin
) -> None:
    event_id = await admin.create_event()
    [kept, *_] = await revoke(admin, event_id, 4)
    before = await plane.feed()
    async with plane.services.database.write() as db:
        await set_back(db, 1)
        await revocation_feed.append_all(db, cuts("a", "b", "c", "d", "e"))
        with pytest.raises(revocation_feed.LogSetBack):
            await revocation_feed.read_encoded_page(db, place_of(before))
    page = await plane.feed(place_of(before))
    assert (page["snapshot"], epoch_of(page) == epoch_of(before)) == (True, False)
    assert [change["id"] for change in page["changes"]] == [kept, "a", "b", "c", "d", "e"]


async def test_an_edge_can_continue_from_the_middle_of_an_append_and_without_a_mark(
    plane: ControlPlane, admin: Admin
) -> None:
    await revoke(admin, await admin.create_event(), 1)
    async with plane.services.database.write() as db:
        await revocation_feed.append_all(db, cuts("a", "b", "c", "d", "e", "f", "g"))
        half = await revocation_feed.read_page(db, "", limit=4)
    for cursor in (half.place, half.cursor):
        page = await plane.feed(cursor)
        assert (page["snapshot"], len(page["changes"])) == (False, 4)


async def test_marks_are_dropped_with_their_changes_without_causing_snapshots(
    plane: ControlPlane, admin: Admin
) -> None:
    event_id = await admin.create_event()
    places = []
    for _ in range(3):
        await revoke(admin, event_id, 1)
        places.append(place_of(await plane.feed()))
    async with plane.services.database.write() as db:
        await revocation_feed.forget_expired(db, datetime(2100, 1, 1, tzinfo=UTC))
    fresh = await revoke(admin, event_id, 1)
    for place in places:
        page = await plane.feed(place)
        assert (page["snapshot"], [change["id"] for change in page["changes"]]) == (False, fresh)
    async with plane.services.database.read() as db:
        assert await db.scalar(text("SELECT count(*) FROM feed_mark")) == 2


async def test_dropped_or_replaced_changes_are_not_taken_for_a_set_back(plane: ControlPlane, admin: Admin) -> None:
    event_id = await admin.create_event()
    [ticket] = await admin.codes(event_id, 1)
    await admin.patch("tokens", ticket["id"], "revoke")
    before = (await plane.feed())["cursor"]
    async with plane.services.database.write() as db:
        await db.execute(text("DELETE FROM revocation_change"))
    page = await plane.feed(before)
    assert (page["snapshot"], page["cursor"], page["changes"]) == (False, before, [])
