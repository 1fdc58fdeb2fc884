"""Migrations: there and back again with data in place, and the models are what they make."""

import sqlite3
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import CheckConstraint, create_engine

from control_plane.database import _alembic_config, upgrade_schema
from control_plane.models import Base

EVENT_ID, TICKET_ID = "3f2b8c1e-5d4a-4b6f-9e7d-0a1b2c3d4e5f", "9c8d7e6f-1a2b-4c3d-8e4f-5a6b7c8d9e0f"
AT = "2027-01-15 12:00:00.000000"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "streamgate.db"


def url(path: Path) -> str:
    return f"sqlite+aiosqlite:///{path}"


def tables(path: Path) -> set[str]:
    with sqlite3.connect(path) as connection:
        names = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    connection.close()
    return names - {"alembic_version", "sqlite_sequence"}


def run(path: Path, statement: str) -> list[tuple[object, ...]]:
    with sqlite3.connect(path) as connection:
        rows = list(connection.execute(statement))
    connection.close()
    return rows


def fill(path: Path) -> None:
    """Write one row where the rest hangs from: an event with a ticket that somebody watches on."""
    columns = {row[1] for row in run(path, "PRAGMA table_info(event)")}
    assert "session_policy" in columns
    run(
        path,
        "INSERT INTO event (id, title, starts_at, ends_at, access_window_hours, is_active, is_archived, "  # noqa: S608
        "session_policy, max_devices, tokens_not_before, version, created_at, updated_at) VALUES "
        f"('{EVENT_ID}', 'Concert', '{AT}', '2027-01-15 14:00:00.000000', 48, 1, 0, 'refuse', 1, 0, 1, '{AT}', '{AT}')",
    )
    run(
        path,
        "INSERT INTO ticket (id, code, event_id, is_revoked, expires_at, tokens_not_before, created_at) VALUES "  # noqa: S608
        f"('{TICKET_ID}', 'K7F2X9M4B1C3', '{EVENT_ID}', 0, '{AT}', 0, '{AT}')",
    )


def test_a_database_is_made_from_nothing(path: Path) -> None:
    upgrade_schema(url(path))
    assert tables(path) == Base.metadata.tables.keys()
    [(epoch,)] = run(path, "SELECT epoch FROM feed_epoch")
    assert str(epoch).isalnum()


def test_two_databases_have_two_epochs(path: Path, tmp_path: Path) -> None:
    upgrade_schema(url(path))
    upgrade_schema(url(tmp_path / "other.db"))
    query = "SELECT epoch FROM feed_epoch"
    assert run(path, query) != run(tmp_path / "other.db", query)


def test_upgrading_again_changes_nothing(path: Path) -> None:
    upgrade_schema(url(path))
    fill(path)
    before = run(path, "SELECT sql FROM sqlite_master"), run(path, "SELECT * FROM ticket")
    upgrade_schema(url(path))
    assert (run(path, "SELECT sql FROM sqlite_master"), run(path, "SELECT * FROM ticket")) == before


def test_every_migration_can_be_undone_and_done_again_with_data_in_place(path: Path) -> None:
    config = _alembic_config(url(path))
    revisions = [script.revision for script in ScriptDirectory.from_config(config).walk_revisions()]
    upgrade_schema(url(path))
    fill(path)
    for _ in revisions:
        command.downgrade(config, "-1")
    assert tables(path) == set()
    for _ in revisions:
        command.upgrade(config, "+1")
    assert tables(path) == Base.metadata.tables.keys()


def test_undoing_only_the_newest_migrations_keeps_events_and_tickets(path: Path) -> None:
    config = _alembic_config(url(path))
    revisions = [script.revision for script in ScriptDirectory.from_config(config).walk_revisions()]
    upgrade_schema(url(path))
    fill(path)
    command.downgrade(config, revisions[-1])
    command.upgrade(config, "head")
    assert run(path, "SELECT code, event_id FROM ticket") == [("K7F2X9M4B1C3", EVENT_ID)]


def test_an_event_that_was_deactivated_before_has_the_time_of_its_last_change(path: Path) -> None:
    config = _alembic_config(url(path))
    command.upgrade(config, "0001")
    fill(path)
    run(path, f"UPDATE event SET is_active = 0, updated_at = '{AT}'")  # noqa: S608
    command.upgrade(config, "0002")
    assert run(path, "SELECT deactivated_at FROM event") == [(AT,)]


def test_the_models_and_the_migrations_agree(path: Path) -> None:
    upgrade_schema(url(path))
    engine = create_engine(f"sqlite:///{path}")
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, Base.metadata) == []
    engine.dispose()


def test_checks_of_the_models_are_in_the_database(path: Path) -> None:
    """Autogenerate does not compare them."""
    upgrade_schema(url(path))
    made = " ".join(str(row[0]) for row in run(path, "SELECT sql FROM sqlite_master WHERE type = 'table'"))
    for table in Base.metadata.tables.values():
        for constraint in table.constraints:
            assert not isinstance(constraint, CheckConstraint) or str(constraint.name) in made, constraint


def test_one_seat_cannot_have_two_live_sessions(path: Path) -> None:
    upgrade_schema(url(path))
    fill(path)
    session = (
        "INSERT INTO viewing_session (sid, ticket_id, seat, started_at, last_seen_at, client_ip, user_agent, carrier, "  # noqa: S608
        f"token_issued_at, token_expires_at, ended_at) VALUES ('%s', '{TICKET_ID}', 0, '{AT}', '{AT}', '', '', "
        "'header', 0, 0, %s)"
    )
    run(path, session % ("over", f"'{AT}'"))
    run(path, session % ("first", "NULL"))
    with pytest.raises(sqlite3.IntegrityError):
        run(path, session % ("second", "NULL"))
