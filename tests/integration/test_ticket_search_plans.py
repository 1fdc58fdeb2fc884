"""Query plans of the ticket search: by an index, also after a VACUUM and without PostgreSQL's extension."""

import re
import sqlite3
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import event, text, update

from control_plane.db.database import Database, upgrade_schema
from control_plane.tables import Ticket
from control_plane.tickets import ticket_search
from control_plane.tickets.tickets import TicketFilter
from tests.support.data.searches import NOW, add, add_event, ids
from tests.support.services.postgres import Postgres

pytestmark = [pytest.mark.anyio, pytest.mark.both_databases]


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    database = Database(database_url)
    yield database
    await database.close()


async def plans(database: Database, wanted: TicketFilter) -> str:
    """Return the query plan of each statement of a page, from EXPLAIN."""
    statements: list[tuple[str, Any]] = []

    def note(_c: object, _cursor: object, statement: str, parameters: Any, *_more: object) -> None:
        statements.append((statement, parameters))

    engine = database.engine.sync_engine
    async with database.read() as db:
        event.listen(engine, "before_cursor_execute", note)
        await ticket_search.page(db, wanted, NOW, 0, 50)
        event.remove(engine, "before_cursor_execute", note)
        explain = "EXPLAIN QUERY PLAN " if database.is_sqlite else "EXPLAIN "
        if not database.is_sqlite:  # with few rows a sequential scan would be chosen
            await db.execute(text("SET LOCAL enable_seqscan = off"))
        found = []
        for statement, parameters in statements:
            if "SELECT" in statement:
                connection = await db.connection()
                found += [str(row[-1]) for row in await connection.exec_driver_sql(explain + statement, parameters)]
    return "\n".join(found)


@pytest.mark.parametrize(
    ("wanted", "sqlite_index", "postgresql_index"),
    [
        ({"search": "press"}, "VIRTUAL TABLE INDEX", "ticket_search_label"),
        ({"search": "press", "event_id": "e"}, "VIRTUAL TABLE INDEX", "ticket_search_label"),
        ({"search": "press", "status": "redeemed"}, "VIRTUAL TABLE INDEX", "ticket_search_code"),
        ({"search": "gu", "event_id": "e"}, "ix_ticket_event_id_created_at_id", "ix_ticket_event_id_created_at_id"),
        ({}, "ix_ticket_created_at_id", "ix_ticket_created_at_id"),
        ({"event_id": "e"}, "ix_ticket_event_id_created_at_id", "ix_ticket_event_id_created_at_id"),
        ({"status": "revoked"}, "ix_ticket_revoked", "ix_ticket_revoked"),
        ({"status": "revoked", "event_id": "e"}, "ix_ticket_revoked_of_event", "ix_ticket_revoked_of_event"),
        ({"status": "redeemed"}, "ix_ticket_redeemed", "ix_ticket_redeemed"),
        ({"status": "redeemed", "event_id": "e"}, "ix_ticket_redeemed_of_event", "ix_ticket_redeemed_of_event"),
    ],
)
async def test_lists_and_searches_use_an_index(
    database: Database,
    wanted: dict[str, Any],
    sqlite_index: str,
    postgresql_index: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ticket_search, "MOST", 500)
    concert = await add_event(database)
    await add(database, concert, "Press")
    await add(database, concert, "Guest", 1000)
    async with database.write() as db:
        some = Ticket.code.between("A", "C")
        await db.execute(update(Ticket).where(some).values(is_revoked=True))
        await db.execute(update(Ticket).values(redeemed_at=NOW))
    plan = await plans(database, TicketFilter(**wanted | ({"event_id": concert.id} if "event_id" in wanted else {})))
    assert re.search(rf"\b{sqlite_index if database.is_sqlite else postgresql_index}\b", plan), plan
    assert not re.search(r"Seq Scan on ticket\b", plan), plan
    if database.is_sqlite:
        assert "VIRTUAL TABLE" not in plan or "ix_ticket_event" not in plan, plan
        assert not [
            line for line in plan.splitlines() if line.split()[:2] == ["SCAN", "ticket"] and "INDEX" not in line
        ]


async def test_the_search_finds_the_same_after_a_vacuum(sqlite_url: str) -> None:
    """VACUUM may renumber rows, but not those of a table with an index (SQLite's insert.c, xferOptimization)."""
    database = Database(sqlite_url)
    concert = await add_event(database)
    gone, [kept] = await add(database, concert, "Gone", 50), await add(database, concert, "Kept")
    async with database.write() as db:
        await db.execute(text("DELETE FROM ticket WHERE label = 'Gone'"))
    await database.close()
    assert gone
    connection = sqlite3.connect(Path(sqlite_url.removeprefix("sqlite+aiosqlite:///")))
    connection.execute("VACUUM")
    connection.close()
    assert await ids(database, "kept") == {kept}
    await add(database, concert, "Added")
    assert len(await ids(database, "added")) == 1
    await database.close()


@pytest.fixture
def modest_url(postgres: Postgres) -> Iterator[str]:
    """A migrated database of a user who may create tables but no extensions."""
    with postgres.new_database("template1") as url:
        postgres.execute("CREATE ROLE {} LOGIN", "modest")
        with psycopg.connect(url.replace("postgresql+psycopg", "postgresql"), autocommit=True) as line:
            line.execute("GRANT CREATE, USAGE ON SCHEMA public TO modest")
        modest = url.replace("streamgate@", "modest@")
        with ThreadPoolExecutor(1) as thread:  # migrations run their own event loop
            thread.submit(upgrade_schema, modest).result()
        yield modest
    postgres.execute("DROP ROLE {}", "modest")


async def test_searches_work_without_the_extension_if_postgresql_refuses_it(modest_url: str) -> None:
    database = Database(modest_url)
    [ticket_id] = await add(database, await add_event(database), "VIP Balcony")
    async with database.read() as db:
        assert await db.scalar(text("SELECT count(*) FROM pg_extension WHERE extname = 'pg_trgm'")) == 0
    assert await ids(database, "p balc") == {ticket_id}
    await database.close()
