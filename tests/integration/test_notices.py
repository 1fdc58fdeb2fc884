"""What one process announces wakes the waiters in another one, on both databases: a topic needs no code of its own."""

from collections.abc import AsyncIterator

import anyio
import pytest

from control_plane.db import notices
from control_plane.db.announcements import announce
from control_plane.db.database import Database, create_engine
from tests.support.listening import PATIENCE_SECONDS, process

pytestmark = [pytest.mark.anyio, pytest.mark.both_databases]
TOPIC = "chat"


@pytest.fixture
async def here(database_url: str) -> AsyncIterator[Database]:
    async with process(database_url) as database:
        yield database


@pytest.fixture
async def elsewhere(database_url: str) -> AsyncIterator[Database]:
    async with process(database_url) as database:
        yield database


async def test_an_announcement_wakes_waiters_in_both_processes(here: Database, elsewhere: Database) -> None:
    for one, other in [(here, elsewhere), (elsewhere, here)] * 2:
        own, woken = one.announcements.next(TOPIC), other.announcements.next(TOPIC)
        async with one.write() as db:
            announce(db, TOPIC)
            assert not own.is_set()
        assert own.is_set()
        with anyio.fail_after(PATIENCE_SECONDS):
            await woken.wait()


async def test_a_command_with_a_connection_of_its_own_wakes_waiters(here: Database, database_url: str) -> None:
    engine, woken = create_engine(database_url), here.announcements.next(TOPIC)
    async with engine.begin() as connection:
        await connection.run_sync(notices.send, [TOPIC])
        assert not woken.is_set()
    await engine.dispose()
    with anyio.fail_after(PATIENCE_SECONDS):
        await woken.wait()
