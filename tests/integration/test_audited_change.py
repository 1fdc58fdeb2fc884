"""An audited change: it is stamped when its transaction begins, not when it was asked for."""

import anyio
import pytest
from sqlalchemy import select

from control_plane.access.actors import Actor
from control_plane.access.audited_change import Action, audited_change
from control_plane.clock import utc_now
from control_plane.models_admin import AuditEntry
from tests.support.clients.api import ControlPlane

pytestmark = pytest.mark.anyio


async def test_a_change_that_waits_for_another_writer_is_stamped_after_it(plane: ControlPlane) -> None:
    """On SQLite there is one writer at a time; on PostgreSQL nothing waits here, and the order is the same."""
    database = plane.services.database

    async def change_something() -> None:
        async with audited_change(database, Actor.command(), Action.WEBHOOK_TEST, "second") as change:
            assert change.now >= ended

    async with anyio.create_task_group() as tasks:
        async with database.write():
            if database.is_sqlite:
                tasks.start_soon(change_something)
                await anyio.wait_all_tasks_blocked()
            ended = utc_now()
        if not database.is_sqlite:
            tasks.start_soon(change_something)
    async with database.read() as db:
        entry = await db.scalar(select(AuditEntry).where(AuditEntry.subject == "second"))
    assert entry
    assert entry.at >= ended
