"""Retention: data is deleted after its time, and not a day earlier."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import anyio
import pytest
from sqlalchemy import select

from control_plane.access import audit
from control_plane.access.actors import Actor
from control_plane.access.audit import About
from control_plane.access.retention import Retention, shortened
from control_plane.db.database import Database
from control_plane.tables import AdminSession, AdminUser, AuditEntry, Event, LastSeen, Ticket, ViewingSession

pytestmark = [pytest.mark.anyio, pytest.mark.both_databases]
NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
LONG_GONE = NOW - timedelta(days=400)


def days_ago(days: float) -> datetime:
    return NOW - timedelta(days=days)


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """A database without an application, whose real clock would delete everything at once."""
    database = Database(database_url)
    yield database
    await database.close()


async def apply(database: Database, keep_days: int = 180, now: datetime = NOW) -> None:
    await Retention(timedelta(days=keep_days)).apply(database, now, anyio.Event())


async def all_of(database: Database, column: Any) -> set[Any]:
    async with database.read() as db:
        return set(await db.scalars(select(column)))


async def add_entries(database: Database, *days: float, address: str = "192.0.2.77") -> None:
    async with database.write() as db:
        for age in days:
            audit.record(db, Actor.viewer(address), "ticket.redeem", days_ago(age), About(f"{age:g} days"))


async def add_session(database: Database, age: float, *, ended: bool = True, ticket_ends: datetime = LONG_GONE) -> None:
    """Add a session from that many days ago, with its ticket."""
    at, name = days_ago(age), f"{age:g}"
    async with database.write() as db:
        times = {"starts_at": LONG_GONE, "ends_at": NOW + timedelta(days=9), "created_at": at, "updated_at": at}
        event = Event(title="Concert", **times)
        db.add(event)
        await db.flush()
        ticket = Ticket(code=f"Code{name}", event_id=event.id, expires_at=ticket_ends, created_at=at)
        ticket.redeemed_at, ticket.redeemed_ip = at, "2001:db8:1:2:3:4:5:6"
        db.add(ticket)
        await db.flush()
        values = {"seat": 0, "user_agent": "", "token_issued_at": 0, "token_expires_at": 0, "client_ip": "192.0.2.77"}
        session = ViewingSession(sid=f"of {name}", ticket_id=ticket.id, started_at=at, **values)
        session.ended_at = at + timedelta(hours=1) if ended else None
        db.add_all([session, LastSeen(sid=session.sid, at=at)])


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.77", "192.0.2.0/24"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1::/48"),
        ("::ffff:192.0.2.77", "::/48"),
        ("fe80::1%eth0", "fe80::/48"),
        ("nonsense", ""),
    ],
)
def test_an_address_is_truncated_to_its_network(address: str, network: str) -> None:
    assert shortened(address) == network


async def test_entries_are_kept_exactly_as_long_as_configured(database: Database) -> None:
    await add_entries(database, 1, 179.9, 180.1, 300)
    await apply(database)
    assert await all_of(database, AuditEntry.subject) == {"1 days", "179.9 days"}
    await apply(database, keep_days=90)
    assert await all_of(database, AuditEntry.subject) == {"1 days"}


async def test_addresses_of_entries_are_truncated_after_thirty_days(database: Database) -> None:
    await add_entries(database, 29.9)
    await add_entries(database, 30.1, address="198.51.100.200")
    await add_entries(database, 31, address="")
    await apply(database)
    assert await all_of(database, AuditEntry.address) == {"192.0.2.77", "198.51.100.0/24", ""}


async def test_addresses_of_sessions_and_tickets_are_truncated_after_thirty_days(database: Database) -> None:
    await add_session(database, 29.9)
    await add_session(database, 30.1)
    await apply(database)
    assert await all_of(database, ViewingSession.client_ip) == {"192.0.2.77", "192.0.2.0/24"}
    assert await all_of(database, Ticket.redeemed_ip) == {"2001:db8:1:2:3:4:5:6", "2001:db8:1::/48"}


async def test_a_shorter_retention_also_truncates_addresses(database: Database) -> None:
    await add_session(database, 8)
    await apply(database, keep_days=7)
    assert await all_of(database, ViewingSession.sid) == set()
    assert await all_of(database, Ticket.redeemed_ip) == {"2001:db8:1::/48"}


async def test_ended_sessions_are_deleted_unless_their_ticket_is_still_valid(database: Database) -> None:
    await add_session(database, 179)
    await add_session(database, 181)
    await add_session(database, 182, ended=False)
    await add_session(database, 183, ticket_ends=NOW + timedelta(days=1))
    await apply(database)
    assert await all_of(database, ViewingSession.sid) == {"of 179", "of 182", "of 183"}


async def test_expired_sessions_of_admins_are_deleted(database: Database) -> None:
    async with database.write() as db:
        user = AdminUser(username="ada", password_hash="", role="admin", created_at=NOW)
        db.add(user)
        await db.flush()
        for name, ends in (("over", NOW - timedelta(seconds=1)), ("alive", NOW + timedelta(seconds=1))):
            db.add(AdminSession(token_hash=name, user_id=user.id, created_at=LONG_GONE, expires_at=ends))
    await apply(database)
    assert await all_of(database, AdminSession.token_hash) == {"alive"}


async def test_many_rows_are_all_processed_in_batches(database: Database) -> None:
    async with database.write() as db:
        for number in range(1_203):
            age = 200 if number % 2 else 40
            audit.record(db, Actor.viewer("192.0.2.77"), "ticket.redeem", days_ago(age), About(f"{number}"))
    await apply(database)
    assert len(await all_of(database, AuditEntry.subject)) == 602
    assert await all_of(database, AuditEntry.address) == {"192.0.2.0/24"}


async def test_it_runs_once_an_hour_and_continues_where_it_stopped(database: Database) -> None:
    retention, stop = Retention(timedelta(days=180)), anyio.Event()
    await retention.apply(database, NOW, stop)
    await add_entries(database, 29.98, 200)
    await retention.apply(database, NOW + timedelta(minutes=59), stop)
    assert len(await all_of(database, AuditEntry.subject)) == 2
    await retention.apply(database, NOW + timedelta(hours=1), stop)
    assert await all_of(database, AuditEntry.address) == {"192.0.2.0/24"}
    assert len(await all_of(database, AuditEntry.subject)) == 1


async def test_it_stops_between_two_batches(database: Database) -> None:
    await add_entries(database, 200)
    stop = anyio.Event()
    stop.set()
    await Retention(timedelta(days=180)).apply(database, NOW, stop)
    assert len(await all_of(database, AuditEntry.subject)) == 1
