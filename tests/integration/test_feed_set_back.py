"""A database that was set back to an earlier state: no edge goes on from a place that this log never gave out."""

import anyio
import pytest
from sqlalchemy import text

from control_plane.revoking import revocation_feed
from tests.support.api import Admin, ControlPlane

pytestmark = pytest.mark.anyio
COUNTERS = {
    "sqlite": "UPDATE sqlite_sequence SET seq = {n} WHERE name = 'revocation_change'",
    "postgresql": "SELECT setval('revocation_change_n_seq', {n})",
}


async def revoke(admin: Admin, event_id: str, count: int) -> list[str]:
    tickets = await admin.codes(event_id, count)
    for ticket in tickets:
        await admin.patch("tokens", ticket["id"], "revoke")
    return [ticket["code"] for ticket in tickets]


async def set_back(plane: ControlPlane, n: int) -> None:
    """Take the log back to its nth change, as an old copy of the database would."""
    async with plane.services.database.write() as db:
        await db.execute(text("DELETE FROM revocation_change WHERE n > :n"), {"n": n})
        await db.execute(text(COUNTERS[db.get_bind().dialect.name].format(n=n)))


async def test_an_edge_that_is_ahead_of_the_log_gets_a_snapshot_of_a_new_history(
    plane: ControlPlane, admin: Admin
) -> None:
    event_id = await admin.create_event()
    codes = await revoke(admin, event_id, 3)
    before = (await plane.feed())["cursor"]
    await set_back(plane, 1)
    page = await plane.feed(before)
    assert page["snapshot"] is True
    assert page["cursor"].partition(".")[0] != before.partition(".")[0]
    assert [change["id"] for change in page["changes"]] == codes[:1]
    fresh = await revoke(admin, event_id, 2)
    assert [change["id"] for change in (await plane.feed(page["cursor"]))["changes"]] == fresh


async def test_the_control_plane_notices_by_itself_while_it_runs(plane: ControlPlane, admin: Admin) -> None:
    await revoke(admin, await admin.create_event(), 3)
    before = (await plane.feed())["cursor"]
    stop = anyio.Event()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(revocation_feed.watch, plane.services.database, stop)
        await anyio.sleep(0.5)
        await set_back(plane, 1)
        with anyio.fail_after(30):
            while (await plane.feed())["cursor"].partition(".")[0] == before.partition(".")[0]:  # noqa: ASYNC110
                await anyio.sleep(0.1)
        stop.set()


async def test_what_was_forgotten_or_replaced_is_no_set_back(plane: ControlPlane, admin: Admin) -> None:
    event_id = await admin.create_event()
    [ticket] = await admin.codes(event_id, 1)
    await admin.patch("tokens", ticket["id"], "revoke")
    before = (await plane.feed())["cursor"]
    async with plane.services.database.write() as db:
        await db.execute(text("DELETE FROM revocation_change"))
    page = await plane.feed(before)
    assert (page["snapshot"], page["cursor"], page["changes"]) == (False, before, [])
