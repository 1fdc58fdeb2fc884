"""Batched writes, direct reads and PostgreSQL's connections, which are used for openings of events."""

import traceback
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from sqlalchemy import bindparam, func, make_url, select, text, update
from sqlalchemy.exc import IntegrityError, OperationalError

from control_plane.db.database import Database
from control_plane.db.direct import DirectQuery
from control_plane.db.together import WriteBatch, change_of, columns_of, named, row_of
from control_plane.tables import Event, RevocationChange, TvCode

pytestmark = [pytest.mark.anyio, pytest.mark.both_databases]
NOON = datetime(2027, 1, 15, 12, tzinfo=UTC)
BOTH = WriteBatch(change_of(TvCode, "user_code", "expires_at"), row_of(RevocationChange))


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    made = Database(database_url)
    async with made.write() as db:
        db.add(TvCode(device_hash="tv", user_code="OLD", client_ip="", user_agent="", expires_at=NOON))
    yield made
    await made.close()


def values(user_code: str, subject: str) -> dict[str, Any]:
    change: dict[str, Any] = {"kind": "code", "subject": subject, "revoked": True, "not_before": None, "until": None}
    change |= {"at": NOON, "expires_at": NOON}
    tv = {"device_hash": "tv", "user_code": user_code, "expires_at": NOON}
    return {**named(TvCode, tv), **named(RevocationChange, change)}


async def write(database: Database, user_code: str, subject: str = "a") -> None:
    async with database.write() as db:
        await BOTH.run(db, values(user_code, subject))


async def state(database: Database) -> tuple[str | None, int]:
    async with database.read() as db:
        return await db.scalar(select(TvCode.user_code)), await db.scalar(select(func.count(RevocationChange.n))) or 0


def end_all(url: str) -> None:
    """Let the server close every other connection to the database."""
    parts = make_url(url)
    with psycopg.connect(host=str(parts.query["host"]), user=parts.username, dbname=parts.database) as line:
        line.execute(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


async def test_rows_are_written_all_or_none(database: Database) -> None:
    await write(database, "NEW")
    assert await state(database) == ("NEW", 1)
    with pytest.raises(IntegrityError):
        await write(database, "NEWER")
    assert await state(database) == ("NEW", 1)


async def test_errors_of_batched_writes_contain_no_values(database: Database) -> None:
    subject = "Rumpelstilzchen".upper()
    await write(database, "NEW", subject)
    with pytest.raises(IntegrityError) as refused:
        await write(database, "NEW", subject)
    assert subject not in "".join(traceback.format_exception(refused.value))


async def test_a_row_that_is_read_directly_is_the_stored_one(database: Database) -> None:
    query = select(TvCode, Event).join(Event, Event.id == TvCode.sid).where(TvCode.user_code == bindparam("wanted"))
    event = Event(id="e", title="Ünïcode", description=None, starts_at=NOON, ends_at=NOON + timedelta(hours=1))
    event.created_at = event.updated_at = NOON + timedelta(microseconds=7)
    event.is_active, event.tokens_not_before = False, 2**40
    async with database.write() as db:
        db.add(event)
        await db.execute(update(TvCode).values(sid="e"))
    async with database.read() as db:
        found = await DirectQuery(query).one(db, {"wanted": "OLD"})
        stored = (await db.execute(query, {"wanted": "OLD"})).one()
        assert found
        assert [columns_of(row) for row in found] == [columns_of(row) for row in stored]
        assert await DirectQuery(query).one(db, {"wanted": "NEW"}) is None


async def test_changes_to_a_row_that_was_read_directly_are_not_written(database: Database) -> None:
    look = DirectQuery(select(TvCode).where(TvCode.user_code == bindparam("wanted")))
    async with database.write() as db:
        [found] = await look.one(db, {"wanted": "OLD"}) or []
        found.user_code = "NEW"
    assert await state(database) == ("OLD", 0)


async def test_each_transaction_has_its_own_connection(database: Database) -> None:
    """Also if a session begins a second transaction: another one may be using the first connection by then."""
    look = DirectQuery(select(TvCode).where(TvCode.user_code == bindparam("wanted")))
    async with database.write() as db:
        await BOTH.run(db, values("NEW", "a"))
        await db.rollback()
        assert await look.one(db, {"wanted": "OLD"})
        await BOTH.run(db, values("NEWER", "a"))
    assert await state(database) == ("NEWER", 1)


async def test_a_connection_that_the_server_has_closed_is_noticed_before_it_is_used(postgres_url: str) -> None:
    database = Database(postgres_url)
    for _ in range(3):
        assert (await state(database))[1] == 0
        async with database.write() as db:
            await db.execute(text("SELECT 1"))
        end_all(postgres_url)
    assert (await state(database))[1] == 0
    await database.close()


async def test_losing_the_server_during_a_write_is_an_ordinary_outage(postgres_url: str) -> None:
    database = Database(postgres_url)

    async def lose_it() -> None:
        async with database.write() as db:
            await db.execute(text("SELECT 1"))
            end_all(postgres_url)
            await BOTH.run(db, values("NEW", "a"))

    with pytest.raises(OperationalError):
        await lose_it()
    await write(database, "NEW")
    assert await state(database) == (None, 1)
    await database.close()
