"""Backups: a restore is complete, on and between both databases, or changes nothing at all."""

import stat
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from alembic import command
from anyio import to_thread
from sqlalchemy import text

from control_plane.clock import utc_now
from control_plane.db.database import Database, _alembic_config, upgrade_schema
from control_plane.errors import OperatorError
from control_plane.lifecycle import event_changes
from control_plane.ops.backups import backup, backup_file
from control_plane.schemas.events import EventDraft
from control_plane.tickets import tickets
from tests.support.clients.api import SEALER, Admin, ControlPlane, event_body, make_settings, running
from tests.support.data.backups import append_change, lines_of
from tests.support.data.rows import ROWS, WRITTEN_BY_ITSELF, but_for_the_restore, contents, fill
from tests.support.services.sqlite_file import new_database

if TYPE_CHECKING:
    from tests.support.services.postgres import Postgres

pytestmark = [pytest.mark.anyio, pytest.mark.both_databases]
NOW = datetime(2027, 1, 16, tzinfo=UTC)


@pytest.fixture(params=["sqlite", "postgresql"])
def other_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A migrated, empty database other than `database_url`."""
    if request.param == "sqlite":
        (tmp_path / "other").mkdir()
        yield new_database(tmp_path / "other")
        return
    server: Postgres = request.getfixturevalue("postgres")
    with server.new_database() as url:
        yield url


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "streamgate.backup"


async def epoch(url: str) -> str:
    return str((await contents(url))["feed_epoch"][0][1])


async def execute(url: str, statement: str) -> None:
    database = Database(url)
    async with database.write() as db:
        await db.execute(text(statement))
    await database.close()


async def tally(url: str) -> list[tuple[str, int]]:
    """Return the counter that the database maintains itself, which is not part of a backup."""
    database = Database(url)
    async with database.read() as db:
        rows = await db.execute(text("SELECT event_id, total FROM ticket_tally ORDER BY event_id"))
        found = [(event_id, total) for event_id, total in rows]
    await database.close()
    return found


def mode_of(file: Path) -> int:
    return stat.S_IMODE(file.stat().st_mode)


async def test_a_restored_database_equals_the_original_except_for_the_epoch(
    database_url: str, other_url: str, file: Path
) -> None:
    await fill(database_url)
    before = await contents(database_url)
    assert all(len(rows) == ROWS for name, rows in before.items() if name not in WRITTEN_BY_ITSELF)
    await backup.dump(database_url, file, None, NOW)
    await backup.restore(other_url, file, SEALER, force=False)
    assert but_for_the_restore(await contents(other_url)) == but_for_the_restore(before)
    assert await epoch(other_url) != await epoch(database_url)
    assert await contents(database_url) == before
    assert await tally(other_url) == await tally(database_url) != []


async def test_closed_doors_stay_closed_after_a_restore(database_url: str, other_url: str, file: Path) -> None:
    async with running(make_settings(database_url)) as plane, plane.browser() as http:
        admin = Admin(http)
        await admin.sign_in()
        event_id = await admin.create_event(starts_in_hours=2)
        before = await held(plane, event_id)
    await backup.dump(database_url, file, None, NOW)
    await backup.restore(other_url, file, SEALER, force=False)
    async with running(make_settings(other_url)) as plane:
        assert await held(plane, event_id) == before


async def held(plane: ControlPlane, event_id: str) -> dict[str, Any]:
    """Return the feed's entry about the doors."""
    [told] = [change for change in (await plane.feed())["changes"] if change["id"] == event_id]
    assert told["until"]
    return told  # type: ignore[no-any-return]


async def test_a_restore_over_the_original_begins_a_new_epoch(database_url: str, file: Path) -> None:
    await fill(database_url)
    before = await contents(database_url)
    await backup.dump(database_url, file, None, NOW)
    await execute(database_url, "DELETE FROM audit_entry")
    await backup.restore(database_url, file, SEALER, force=True)
    assert but_for_the_restore(await contents(database_url)) == but_for_the_restore(before)
    assert await epoch(database_url) != before["feed_epoch"][0][1]


async def test_numbers_continue_after_the_last_assigned_one(database_url: str, other_url: str, file: Path) -> None:
    for subject in ("one", "two", "three"):
        last = await append_change(database_url, subject)
    await execute(database_url, "DELETE FROM revocation_change")
    await backup.dump(database_url, file, None, NOW)
    await backup.restore(other_url, file, SEALER, force=False)
    assert await append_change(other_url, "four") == last + 1


async def test_a_database_without_tables_is_also_restored(database_url: str, tmp_path: Path, file: Path) -> None:
    await fill(database_url)
    await backup.dump(database_url, file, None, NOW)
    fresh = f"sqlite+aiosqlite:///{tmp_path}/fresh.db"
    await backup.restore(fresh, file, SEALER, force=False)
    assert but_for_the_restore(await contents(fresh)) == but_for_the_restore(await contents(database_url))


async def test_existing_data_is_replaced_only_by_force(database_url: str, other_url: str, file: Path) -> None:
    await backup.dump(other_url, file, None, NOW)
    await fill(database_url)
    before = await contents(database_url)
    with pytest.raises(OperatorError, match="not empty; --force"):
        await backup.restore(database_url, file, SEALER, force=False)
    assert await contents(database_url) == before
    await backup.restore(database_url, file, SEALER, force=True)
    assert not any(but_for_the_restore(await contents(database_url)).values())


async def test_a_backup_is_readable_by_its_owner_only_and_never_overwritten(sqlite_url: str, file: Path) -> None:
    await backup.dump(sqlite_url, file, None, NOW)
    assert mode_of(file) == 0o600
    before = lines_of(file)
    with pytest.raises(OperatorError, match="exists already"):
        await backup.dump(sqlite_url, file, None, NOW)
    assert lines_of(file) == before
    assert [entry.name for entry in file.parent.glob("*streamgate.backup*")] == [file.name]


async def test_a_failed_backup_leaves_no_file(sqlite_url: str, file: Path) -> None:
    await execute(sqlite_url, "DROP TABLE alembic_version")
    with pytest.raises(OperatorError, match="no tables"):
        await backup.dump(sqlite_url, file, None, NOW)
    assert list(file.parent.glob("*streamgate.backup*")) == []


async def test_a_backup_of_an_older_schema_is_migrated(database_url: str, other_url: str, file: Path) -> None:
    old = _alembic_config(database_url)
    await to_thread.run_sync(command.downgrade, old, "0002")
    await execute(
        database_url,
        "INSERT INTO event (id, title, starts_at, ends_at, access_window_hours, is_active, is_archived, "
        "session_policy, max_devices, tokens_not_before, version, created_at, updated_at) VALUES "
        "('3f2b8c1e-5d4a-4b6f-9e7d-0a1b2c3d4e5f', 'Old', '2027-01-15 12:00:00', '2027-01-15 14:00:00', 48, "
        "true, false, 'refuse', 1, 0, 1, '2027-01-15 12:00:00', '2027-01-15 12:00:00')",
    )
    await execute(
        database_url,
        "INSERT INTO admin_user (id, username, password_hash, role, created_at) "
        "VALUES ('1', 'admin', 'hash', 'owner', '2027-01-15 12:00:00')",
    )
    await backup.dump(database_url, file, None, NOW)
    assert backup_file.check(file).heading.schema == "0002"
    await fill(other_url)
    await backup.restore(other_url, file, SEALER, force=True)
    await to_thread.run_sync(upgrade_schema, database_url)
    assert but_for_the_restore(await contents(other_url)) == but_for_the_restore(await contents(database_url))
    assert [row[1] for row in (await contents(other_url))["event"]] == ["Old"]


async def test_a_backup_is_consistent_during_writes(database_url: str, file: Path) -> None:
    """Each transaction adds an event with three tickets: a backup never contains only some of them."""
    database, has_begun, is_enough = Database(database_url), anyio.Event(), anyio.Event()

    async def write() -> None:
        while not is_enough.is_set():
            async with database.write() as db:
                event = await event_changes.create_event(db, EventDraft.model_validate(event_body()), utc_now())
                await tickets.generate(db, event, 3, utc_now())
            has_begun.set()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(write)
        await has_begun.wait()
        for number in range(5):
            ending = await backup.dump(database_url, file.with_name(f"{number}.backup"), None, NOW)
            assert ending.rows["ticket"] == 3 * ending.rows["event"]
        is_enough.set()
    assert ending.rows["event"] > 0
    await database.close()
