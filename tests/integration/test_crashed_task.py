"""A crashed task of the control plane ends the process, so that it is restarted with all tasks."""

import re
import sqlite3
from contextlib import closing
from pathlib import Path

import anyio
import httpx2
import pytest

from tests.support.clients.api import INTERNAL_KEY
from tests.support.services.server import ControlPlaneProcess

pytestmark = pytest.mark.anyio
# An invalid time: readers of this row handle database errors, but not this one. The event is about to start, since one
# task reads such events and another one started events.
DAMAGED = """
    INSERT INTO event (id, title, starts_at, ends_at, access_window_hours, is_active, is_archived, session_policy,
                       max_devices, tokens_not_before, version, created_at, updated_at)
    VALUES ('x', 'Secret', strftime('%Y-%m-%d %H:%M:%f000', 'now', '+30 minutes'), '2999-01-01 00:00:00.000000',
            48, 1, 0, 'refuse', 1, 0, 1, 'nonsense', 'nonsense')"""


async def test_a_crashed_task_ends_the_process_and_is_logged(sqlite_url: str, tmp_path: Path) -> None:
    with ControlPlaneProcess(tmp_path, sqlite_url) as plane:
        async with plane.browser() as sidecar, anyio.create_task_group() as tasks:
            cursor = (await ask(sidecar, "", 0)).json()["cursor"]
            tasks.start_soon(ask, sidecar, cursor, 30)
            with closing(sqlite3.connect(sqlite_url.partition("///")[2])) as database, database:
                database.execute(DAMAGED)
            process = plane.service._process
            assert process
            assert await anyio.to_thread.run_sync(lambda: process.wait(timeout=60)) == 1
        printed = plane.service.printed()
    [crash] = [line for line in printed.splitlines() if "task_crashed" in line]
    assert '"error": "ValueError' in crash
    assert "event_news.py" in crash
    assert not re.search("Cancel [1-9]", printed), "nobody who waits holds the end up"
    assert "Secret" not in printed


async def ask(sidecar: httpx2.AsyncClient, cursor: str, wait: int) -> httpx2.Response:
    query: dict[str, str | int] = {"cursor": cursor, "wait": wait}
    return await sidecar.get("/internal/feed", params=query, headers={"X-Internal-Api-Key": INTERNAL_KEY})
