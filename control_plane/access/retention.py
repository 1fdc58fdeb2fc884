"""What is forgotten, and when: audit entries and ended sessions after the retention, addresses' ends after 30 days.

The only place that changes or deletes an audit entry. No trigger holds that: whoever may write here could drop one,
and this has to pass it. Small transactions, found by reading, so that nobody who wants to write waits for us.
"""

import ipaddress
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import anyio
from sqlalchemy import Row, Select, Table, bindparam, delete, exists, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from control_plane.db.database import Database, Lock, hold
from control_plane.models import Base, LastSeen, Ticket, ViewingSession
from control_plane.models_admin import AdminSession, AuditEntry

SHORTENED_AFTER: Final = timedelta(days=30)
EVERY: Final = timedelta(hours=1)
_AT_ONCE: Final = 500  # rows a transaction
_KEPT_BITS: Final = {4: 24, 6: 48}


@dataclass(frozen=True, slots=True)
class _Addresses:
    """A column of addresses, and when each row came to have its own."""

    table: type[Base]
    key: InstrumentedAttribute[Any]
    address: InstrumentedAttribute[Any]
    since: InstrumentedAttribute[Any]


@dataclass(frozen=True, slots=True)
class _Deletion:
    """The rows of a table that are old enough, by their keys."""

    table: type[Base]
    key: InstrumentedAttribute[Any]
    old: Select[Any]
    lock: Lock | None = None


_ALL_ADDRESSES: Final = (
    _Addresses(AuditEntry, AuditEntry.id, AuditEntry.address, AuditEntry.at),
    _Addresses(ViewingSession, ViewingSession.sid, ViewingSession.client_ip, ViewingSession.started_at),
    _Addresses(Ticket, Ticket.id, Ticket.redeemed_ip, Ticket.redeemed_at),
)


class Retention:
    """Does what is due, once an hour. What it remembers saves it from looking at the same rows again."""

    def __init__(self, keep: timedelta) -> None:
        self._keep = keep
        self._next_at: datetime | None = None
        self._shortened_until: dict[type[Base], datetime] = {}

    async def apply(self, database: Database, now: datetime, stop: anyio.Event) -> None:
        """Shorten and forget what is old enough, unless that was done less than an hour ago."""
        if self._next_at and now < self._next_at:
            return
        for addresses in _ALL_ADDRESSES:
            await self._shorten(database, addresses, now - min(SHORTENED_AFTER, self._keep), stop)
        for deletion in _deletions(now, now - self._keep):
            await _until_none_is_left(database, deletion, stop)
        self._next_at = now + EVERY

    async def _shorten(self, database: Database, addresses: _Addresses, before: datetime, stop: anyio.Event) -> None:
        """Shorten the addresses of one table, walking along its key."""
        table, last = addresses.table, None
        while not stop.is_set():
            query = _whole_addresses(addresses, self._shortened_until.get(table), before, last)
            async with database.read() as db:
                rows = (await db.execute(query)).all()
            if not rows:
                self._shortened_until[table] = before
                return
            async with database.write() as db:
                await _write_shortened(db, addresses, rows)
            last = rows[-1][0]


def shortened(address: str) -> str:
    """Return the network of an address, "192.0.2.0/24" or "2001:db8:1::/48"; nothing of what is none."""
    try:
        parsed = ipaddress.ip_address(address)
        return str(ipaddress.ip_network(f"{parsed}/{_KEPT_BITS[parsed.version]}", strict=False))
    except ValueError:
        return ""


def _whole_addresses(
    addresses: _Addresses, since: datetime | None, before: datetime, last: str | int | None
) -> Select[Any, str]:
    """Look for addresses that are not shortened yet. What has a slash is."""
    query = select(addresses.key, addresses.address).where(addresses.since < before)
    query = query.where(addresses.address != "", addresses.address.not_like("%/%"))
    if since:
        query = query.where(addresses.since >= since)
    if last is not None:
        query = query.where(addresses.key > last)
    return query.order_by(addresses.key).limit(_AT_ONCE)


async def _write_shortened(db: AsyncSession, addresses: _Addresses, rows: Sequence[Row[Any, str]]) -> None:
    table, key, address = addresses.table.__table__, addresses.key.name, addresses.address.name
    assert isinstance(table, Table)  # noqa: S101 - a mapped class has one
    statement = update(table).where(table.c[key] == bindparam("of")).values({address: bindparam("network")})
    networks = [{"of": name, "network": shortened(whole)} for name, whole in rows]
    await (await db.connection()).execute(statement, networks)


def _deletions(now: datetime, before: datetime) -> Iterator[_Deletion]:
    """Say what is old enough. Sessions are kept as long as somebody may still ask why a ticket does not let them in."""
    entry, session = AuditEntry, ViewingSession
    yield _Deletion(entry, entry.id, select(entry.id).where(entry.at < before))
    of_the_past = select(session.sid).join(Ticket, Ticket.id == session.ticket_id).where(Ticket.expires_at < now)
    yield _Deletion(session, session.sid, of_the_past.where(session.started_at < before, session.ended_at < before))
    seen = LastSeen
    is_live = exists().where(session.sid == seen.sid, session.ended_at.is_(None))
    yield _Deletion(seen, seen.sid, select(seen.sid).where(~is_live), Lock.LAST_SEEN)
    signed_in = AdminSession
    yield _Deletion(signed_in, signed_in.id, select(signed_in.id).where(signed_in.expires_at < now))


async def _until_none_is_left(database: Database, deletion: _Deletion, stop: anyio.Event) -> None:
    while not stop.is_set():
        async with database.read() as db:
            keys = (await db.scalars(deletion.old.order_by(deletion.key).limit(_AT_ONCE))).all()
        if not keys:
            return
        async with database.write() as db:
            if deletion.lock:
                await hold(db, deletion.lock)
            await db.execute(delete(deletion.table).where(deletion.key.in_(keys)))
