"""An audited change: it is stamped when its transaction begins, not when it was asked for."""

import anyio
import pytest
from sqlalchemy import select, text

from control_plane.access.actors import Actor
from control_plane.access.audited_change import Action, audited_change
from control_plane.clock import utc_now
from control_plane.db.database import Database
from control_plane.tables import AuditEntry

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("is_same_process", [True, False])
async def test_a_change_that_waits_for_another_writer_is_stamped_after_it(
    sqlite_url: str, *, is_same_process: bool
) -> None:
    """On SQLite, where there is one writer at a time; a database object stands for a process here."""
    database = Database(sqlite_url)
    writer = database if is_same_process else Database(sqlite_url)

    async def change_something() -> None:
        async with audited_change(database, Actor.command(), Action.WEBHOOK_TEST, "second") as change:
            assert change.now >= ended

    async with anyio.create_task_group() as tasks, writer.write() as db:
        await db.execute(text("SELECT 1"))
        tasks.start_soon(change_something)
        await anyio.wait_all_tasks_blocked()
        ended = utc_now()
    async with database.read() as db:
        entry = await db.scalar(select(AuditEntry).where(AuditEntry.subject == "second"))
    assert entry
    assert entry.at >= ended
    await database.close()
    if writer is not database:
        await writer.close()
