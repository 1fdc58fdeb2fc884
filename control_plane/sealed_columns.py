"""The columns that hold sealed secrets, and sealing all of them with the current key: at each start and restore.

One row, `seal_check`, shows whether a key is the one that this database was sealed with. A start or a restore with
another key is refused before anything is written: otherwise some values would need one key and some the other.
"""

import asyncio
from typing import Any, Final

from sqlalchemy import Connection, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from control_plane.db.database import DatabaseUnusable, create_engine, hold_schema
from control_plane.db.sealing import SETTING, SealBroken, Sealer
from control_plane.tables import AdminUser, Event, SealCheck, Webhook

SEALED: Final[tuple[InstrumentedAttribute[Any], ...]] = (
    AdminUser.totp_secret,
    Webhook.secret,
    Event.origin_header,
    Event.origin_query,
)
_SAMPLE: Final = "streamgate"
_OTHER_KEY: Final = (
    f"{SETTING} is missing or is not the key that the secrets in the database were sealed with. Put that one back, "
    "alone or after the new one, separated by a comma."
)


def seal_all(database_url: str, sealer: Sealer) -> int:
    """Seal every value that is not sealed with the current key; return the number of values that no key opens.

    Synchronous: for process starts and commands. Raise DatabaseUnusable if the key is missing or another one.
    """
    return asyncio.run(_seal_all(database_url, sealer))


async def _seal_all(database_url: str, sealer: Sealer) -> int:
    engine = create_engine(database_url)
    try:
        async with engine.execution_options(sqlite_begin="BEGIN IMMEDIATE").begin() as connection:
            return await connection.run_sync(seal_within, sealer)
    finally:
        await engine.dispose()


def seal_within(connection: Connection, sealer: Sealer) -> int:
    """Do the same within the caller's transaction. Do nothing if there is no key and there never was one."""
    hold_schema(connection)
    sample = connection.scalar(select(SealCheck.sample))
    if sample is None and not sealer.has_key:
        return 0
    _check(connection, sealer, sample)
    return sum(_renew(connection, sealer, column) for column in SEALED)


async def is_of_this_key(db: AsyncSession, sealer: Sealer) -> bool | None:
    """Return whether this database was sealed with one of the keys; None if it was never sealed."""
    sample = await db.scalar(select(SealCheck.sample))
    try:
        return None if sample is None else sealer.open(sample) == _SAMPLE
    except SealBroken:
        return False


async def holds_secrets(db: AsyncSession) -> bool:
    """Return whether any secret is stored, sealed or not."""
    return any([await db.scalar(select(column).where(column.is_not(None)).limit(1)) for column in SEALED])


async def adopt(db: AsyncSession, sealer: Sealer) -> None:
    """Make the first key of the sealer the key of this database."""
    await db.execute(delete(SealCheck))
    await db.execute(insert(SealCheck).values(id=1, sample=sealer.seal(_SAMPLE)))


def _check(connection: Connection, sealer: Sealer, sample: str | None) -> None:
    if sample is None:
        connection.execute(insert(SealCheck).values(id=1, sample=sealer.seal(_SAMPLE)))
        return
    try:
        renewed = sealer.renewed(sample)
    except SealBroken:
        raise DatabaseUnusable(_OTHER_KEY) from None
    if renewed != sample:
        connection.execute(update(SealCheck).values(sample=renewed))


def _renew(connection: Connection, sealer: Sealer, column: InstrumentedAttribute[Any]) -> int:
    """Return the number of values that could not be opened: a damaged one does not stop the others."""
    stored = column.class_.__table__
    broken = 0
    for row_id, value in connection.execute(select(stored.c.id, column).where(column.is_not(None))).all():
        try:
            renewed = sealer.renewed(value)
        except SealBroken:
            broken += 1
            continue
        if renewed != value:
            connection.execute(update(stored).where(stored.c.id == row_id).values({column.key: renewed}))
    return broken
