"""Data retention: deletes old audit entries and ended sessions, and shortens IP addresses after 30 days.

Only this module changes or deletes audit entries. No trigger enforces that: whoever can write to the database could
drop it, and it would have to let this module pass. Rows are found by reading and changed in small transactions, so
that other writers do not have to wait.
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
from control_plane.tables import AdminSession, AuditEntry, Base, LastSeen, Ticket, ViewingSession

SHORTENED_AFTER: Final = timedelta(days=30)
EVERY: Final = timedelta(hours=1)
_BATCH_SIZE: Final = 500  # rows in a transaction
_PREFIX_LENGTHS: Final = {4: 24, 6: 48}


@dataclass(frozen=True, slots=True)
class _Addresses:
    """A column of addresses, and the column with the time at which a row got its address."""

    table: type[Base]
    key: InstrumentedAttribute[Any]
    address: InstrumentedAttribute[Any]
    since: InstrumentedAttribute[Any]


@dataclass(frozen=True, slots=True)
class _Deletion:
    """The rows to be deleted from a table, selected by key."""

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
    """Applies the retention once an hour. Remembers how far it got, so as not to read the same rows again."""

    def __init__(self, keep: timedelta) -> None:
        self._keep = keep
        self._next_at: datetime | None = None
        self._shortened_until: dict[type[Base], datetime] = {}

    async def apply(self, database: Database, now: datetime, stop: anyio.Event) -> None:
        """Shorten and delete what is old enough, unless that was done less than an hour ago."""
        if self._next_at and now < self._next_at:
            return
        for addresses in _ALL_ADDRESSES:
            await self._shorten(database, addresses, now - min(SHORTENED_AFTER, self._keep), stop)
        for deletion in _deletions(now, now - self._keep):
            await _delete_in_batches(database, deletion, stop)
        self._next_at = now + EVERY

    async def _shorten(self, database: Database, addresses: _Addresses, before: datetime, stop: anyio.Event) -> None:
        """Shorten the addresses of one table, in the order of its key."""
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
    """Return the network of an address, like "192.0.2.0/24" or "2001:db8:1::/48"; "" if it is not an address."""
    try:
        parsed = ipaddress.ip_address(address)
        return str(ipaddress.ip_network(f"{parsed}/{_PREFIX_LENGTHS[parsed.version]}", strict=False))
    except ValueError:
        return ""


def _whole_addresses(
    addresses: _Addresses, since: datetime | None, before: datetime, last: str | int | None
) -> Select[Any, str]:
    """Select the addresses that are not shortened yet: those without a slash."""
    query = select(addresses.key, addresses.address).where(addresses.since < before)
    query = query.where(addresses.address != "", addresses.address.not_like("%/%"))
    if since:
        query = query.where(addresses.since >= since)
    if last is not None:
        query = query.where(addresses.key > last)
    return query.order_by(addresses.key).limit(_BATCH_SIZE)


async def _write_shortened(db: AsyncSession, addresses: _Addresses, rows: Sequence[Row[Any, str]]) -> None:
    table, key, address = addresses.table.__table__, addresses.key.name, addresses.address.name
    assert isinstance(table, Table)  # noqa: S101 - a mapped class has one
    statement = update(table).where(table.c[key] == bindparam("of")).values({address: bindparam("network")})
    networks = [{"of": name, "network": shortened(whole)} for name, whole in rows]
    await (await db.connection()).execute(statement, networks)


def _deletions(now: datetime, before: datetime) -> Iterator[_Deletion]:
    """Yield what is to be deleted. Sessions are kept while their ticket is valid, to explain why it is refused."""
    entry, session = AuditEntry, ViewingSession
    yield _Deletion(entry, entry.id, select(entry.id).where(entry.at < before))
    of_expired = select(session.sid).join(Ticket, Ticket.id == session.ticket_id).where(Ticket.expires_at < now)
    yield _Deletion(session, session.sid, of_expired.where(session.started_at < before, session.ended_at < before))
    seen = LastSeen
    is_live = exists().where(session.sid == seen.sid, session.ended_at.is_(None))
    yield _Deletion(seen, seen.sid, select(seen.sid).where(~is_live), Lock.LAST_SEEN)
    signed_in = AdminSession
    yield _Deletion(signed_in, signed_in.id, select(signed_in.id).where(signed_in.expires_at < now))


async def _delete_in_batches(database: Database, deletion: _Deletion, stop: anyio.Event) -> None:
    while not stop.is_set():
        async with database.read() as db:
            keys = (await db.scalars(deletion.old.order_by(deletion.key).limit(_BATCH_SIZE))).all()
        if not keys:
            return
        async with database.write() as db:
            if deletion.lock:
                await hold(db, deletion.lock)
            await db.execute(delete(deletion.table).where(deletion.key.in_(keys)))
