"""Migrations: upgrades and downgrades with data, and agreement with the tables."""

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import CheckConstraint, inspect
from sqlalchemy.exc import IntegrityError

from control_plane.db import schema_versions
from control_plane.db.database import Database, _alembic_config, upgrade_schema
from control_plane.tables import Base
from control_plane.tickets import ticket_search
from control_plane.tickets.tickets import TicketFilter
from tests.support.services.schema import NOON, SchemaAt

ROOT = Path(__file__).parents[2]
REVISIONS = schema_versions.known()
# Tables of admins, which are recreated so that everyone signs in again, and the feed's epoch.
FORGOTTEN = {"admin_session", "feed_epoch", "feed_mark"}


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """An empty database to migrate."""
    if request.param == "sqlite":
        yield SchemaAt(f"sqlite+aiosqlite:///{tmp_path}/streamgate.db")
        return
    with request.getfixturevalue("postgres").new_database("template1") as url:
        yield SchemaAt(url)


@pytest.fixture
def config(place: SchemaAt) -> Config:
    return _alembic_config(place.url)


def kept(before: dict[str, Any], after: dict[str, Any]) -> None:
    """Check that no value is lost or changed, as far as its column still exists."""
    for table in (before.keys() & after.keys()) - FORGOTTEN:
        assert len(before[table]) == len(after[table]), table
        for old, new in zip(before[table], after[table], strict=True):
            columns = old.keys() & new.keys()
            assert {name: old[name] for name in columns} == {name: new[name] for name in columns}, table


def test_a_database_is_created_from_nothing(place: SchemaAt) -> None:
    upgrade_schema(place.url)
    assert place.tables() == Base.metadata.tables.keys()
    [(epoch,)] = place.run("SELECT epoch FROM feed_epoch")
    assert str(epoch).isalnum()


def test_two_databases_have_two_epochs(place: SchemaAt, tmp_path: Path) -> None:
    other = SchemaAt(f"sqlite+aiosqlite:///{tmp_path}/other.db")
    upgrade_schema(place.url)
    upgrade_schema(other.url)
    query = "SELECT epoch FROM feed_epoch"
    assert place.run(query) != other.run(query)


def test_upgrading_again_changes_nothing(place: SchemaAt) -> None:
    upgrade_schema(place.url)
    place.fill()
    before = place.shape(), place.rows()
    upgrade_schema(place.url)
    assert (place.shape(), place.rows()) == before


def test_every_migration_can_be_applied_reverted_and_applied_again_with_a_row_in_every_table(
    place: SchemaAt, config: Config
) -> None:
    shapes = {}
    for revision in REVISIONS:
        before = place.rows()
        command.upgrade(config, revision)
        kept(before, place.rows())
        place.fill()
        shapes[revision] = place.shape()
        assert all(place.rows().values())
    for revision in REVISIONS[-2::-1]:
        place.fill()
        before = place.rows()
        command.downgrade(config, revision)
        kept(before, place.rows())
        assert place.shape() == shapes[revision]
    before = place.rows()
    command.upgrade(config, "head")
    kept(before, place.rows())
    assert place.shape() == shapes[REVISIONS[-1]]
    command.downgrade(config, "base")
    assert place.tables() == set()


def test_simultaneous_migrations_are_applied_once(place: SchemaAt) -> None:
    program = "import sys; from control_plane.db.database import upgrade_schema as go; input(); go(sys.argv[1])"
    argv = [sys.executable, "-W", "error", "-c", program, place.url]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    migrating = [subprocess.Popen(argv, cwd=ROOT, text=True, **pipes) for _ in range(3)]  # type: ignore[call-overload]
    for process in migrating:
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in migrating:
        said, _ = process.communicate(timeout=180)
        assert process.returncode == 0, said
    assert len(place.run("SELECT epoch FROM feed_epoch")) == 1
    assert place.tables() == Base.metadata.tables.keys()


def test_an_event_deactivated_before_the_migration_gets_the_time_of_its_last_change(
    place: SchemaAt, config: Config
) -> None:
    command.upgrade(config, "0001")
    place.fill()
    place.run("UPDATE event SET is_active = false")
    command.upgrade(config, "0002")
    [(deactivated_at, updated_at)] = place.run("SELECT deactivated_at, updated_at FROM event")
    assert deactivated_at == updated_at


def add_ticket(place: SchemaAt, code: str, label: str) -> None:
    """Add a ticket to the existing event, at any migration."""
    same = "event_id, is_revoked, tokens_not_before, expires_at, created_at"
    place.run(
        f"INSERT INTO ticket (id, code, label, {same}) SELECT '{code}', '{code}', '{label}', {same} "  # noqa: S608
        "FROM ticket LIMIT 1"
    )


async def found(url: str, search: str) -> list[str]:
    """Search as the application does."""
    database = Database(url)
    try:
        async with database.read() as db:
            page = await ticket_search.page(db, TicketFilter(search=search), NOON, 0, 50)
        return [ticket.code for ticket in page.tickets]
    finally:
        await database.close()


def test_existing_and_new_tickets_are_found(place: SchemaAt, config: Config) -> None:
    command.upgrade(config, "0003")
    place.fill()
    add_ticket(place, "ofBefore0004", "Press, row 1")
    command.upgrade(config, "head")
    add_ticket(place, "ofAfterwards", "Press, row 2")
    command.downgrade(config, "0003")
    add_ticket(place, "ofInBetween1", "Press, row 3")
    command.upgrade(config, "head")
    for code, label in {"ofBefore0004": "row 1", "ofAfterwards": "row 2", "ofInBetween1": "row 3"}.items():
        assert asyncio.run(found(place.url, label)) == [code]
        assert asyncio.run(found(place.url, code[2:])) == [code]
    assert len(asyncio.run(found(place.url, "press"))) == 3
    place.run("DELETE FROM ticket WHERE code = 'ofBefore0004'")
    assert asyncio.run(found(place.url, "row 1")) == []


def test_downgrading_keeps_the_lowest_receipt_of_each_edge(place: SchemaAt, config: Config) -> None:
    command.upgrade(config, "head")
    for number, sidecar in enumerate([("hall", "a"), ("hall", "b"), ("hall", "c"), ("box", "z"), ("foyer", "-")]):
        place.run(
            "INSERT INTO edge (name, instance, epoch, acknowledged, heard_at) "  # noqa: S608
            f"VALUES ('{sidecar[0]}', '{sidecar[1]}', 'epoch', {number}, '2027-01-15 12:00:00+00:00')"
        )
    command.downgrade(config, "0005")
    receipts = place.run("SELECT name, acknowledged FROM edge ORDER BY name")
    assert receipts == [("box", 3), ("foyer", 4), ("hall", 0)]
    command.upgrade(config, "0006")
    assert place.run("SELECT name, instance, acknowledged FROM edge ORDER BY name") == [
        (name, "-", acknowledged) for name, acknowledged in receipts
    ]


def test_existing_and_new_tickets_are_counted(place: SchemaAt, config: Config) -> None:
    command.upgrade(config, "0006")
    place.fill()
    command.upgrade(config, "0007")
    assert place.run("SELECT total FROM ticket_tally") == [(1,)]
    place.run("DELETE FROM viewing_session")
    place.run("DELETE FROM ticket")
    assert place.run("SELECT total FROM ticket_tally") == []


def test_of_active_keys_with_the_same_name_the_oldest_keeps_it_and_the_others_are_numbered(
    place: SchemaAt, config: Config
) -> None:
    command.upgrade(config, "0007")
    long = "n" * 100
    names = ["door", "door", "door", "door (2)", long, long, "alone"]
    for number, name in enumerate(names):
        add_key(place, number, name)
    add_key(place, 8, "door", revoked_at="'2027-01-16 12:00:00+00:00'")
    command.upgrade(config, "0008")
    kept = ["door", "door (3)", "door (4)", "door (2)", long, "n" * 96 + " (2)", "alone", "door"]
    assert [name for (name,) in place.run("SELECT name FROM api_key ORDER BY id")] == kept
    with pytest.raises(IntegrityError, match=r"(?i)unique"):
        add_key(place, 9, "door")


def add_key(place: SchemaAt, number: int, name: str, revoked_at: str = "NULL") -> None:
    at = f"'2027-01-15 12:0{number}:00+00:00'"
    place.run(
        "INSERT INTO api_key (id, name, key_hash, shown, scopes, created_by, created_at, revoked_at) VALUES "  # noqa: S608
        f"('{number}', '{name}', 'hash {number}', 'sgk_', 'read', 'admin', {at}, {revoked_at})"
    )


def test_the_last_seen_time_of_live_sessions_is_moved_and_that_of_others_stays(place: SchemaAt, config: Config) -> None:
    command.upgrade(config, "0017")
    place.fill()
    times = {"live": "12:34:56.789", "over": "13:00:00.000"}
    for seat, (sid, time) in enumerate(times.items()):
        ended = "NULL" if sid == "live" else "ended_at"
        place.run(
            "INSERT INTO viewing_session (sid, ticket_id, seat, started_at, last_seen_at, client_ip, user_agent, "  # noqa: S608
            "carrier, token_issued_at, token_expires_at, ended_at) SELECT "
            f"'{sid}', ticket_id, {seat}, started_at, '2027-01-15 {time}+00:00', '', '', 'header', 0, 0, {ended} "
            "FROM viewing_session LIMIT 1"
        )
    before = place.rows()["viewing_session"]
    command.upgrade(config, "head")
    rows = place.rows()
    assert [row["sid"] for row in rows["last_seen"]] == ["live"]
    assert {row["sid"] for row in rows["viewing_session"] if row["seen_until"] is None} == {"live"}
    command.downgrade(config, "0017")
    by_sid = {row["sid"]: row for row in place.rows()["viewing_session"]}
    assert by_sid == {row["sid"]: row for row in before}


def belongs_to_a_model(_: object, name: str | None, *__: object) -> bool:
    """Exclude the index of parts of codes and labels and the ticket counter, which the database maintains itself."""
    return not (name or "").startswith(("ticket_search", "ticket_tally"))


def test_the_models_and_the_migrations_agree(place: SchemaAt) -> None:
    upgrade_schema(place.url)
    with place.engine() as engine, engine.connect() as connection:
        opts = {"compare_type": True, "include_object": belongs_to_a_model}
        context = MigrationContext.configure(connection, opts=opts)
        assert compare_metadata(context, Base.metadata) == []


def test_checks_of_the_models_are_in_the_database(place: SchemaAt) -> None:
    """Alembic's autogenerate does not compare checks."""
    upgrade_schema(place.url)
    with place.engine() as engine:
        made = {check["name"] for checks in inspect(engine).get_multi_check_constraints().values() for check in checks}
    for table in Base.metadata.tables.values():
        checks = {str(each.name) for each in table.constraints if isinstance(each, CheckConstraint)}
        assert checks <= made


def test_one_seat_cannot_have_two_live_sessions(place: SchemaAt) -> None:
    upgrade_schema(place.url)
    place.fill()
    [(ticket,)] = place.run("SELECT id FROM ticket")
    at = "'2027-01-15 12:00:00+00:00'"
    session = (
        "INSERT INTO viewing_session (sid, ticket_id, seat, started_at, client_ip, user_agent, carrier, "  # noqa: S608
        f"token_issued_at, token_expires_at, ended_at) VALUES ('%s', '{ticket}', 0, {at}, '', '', "
        "'header', 0, 0, %s)"
    )
    place.run(session % ("over", at))
    place.run(session % ("first", "NULL"))
    with pytest.raises(IntegrityError, match=r"(?i)unique"):
        place.run(session % ("second", "NULL"))
