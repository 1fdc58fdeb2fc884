"""Which columns hold sealed secrets, and bringing all of them to the key in force: at each start and after a restore.

One row, `seal_check`, tells whether a key is the one that this database was sealed with. A start or a restore with
another one is refused before anything is written that only one of two keys would open.
"""

import asyncio
from typing import Any, Final

from sqlalchemy import Connection, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from control_plane.db.database import DatabaseUnusable, create_engine, hold_schema
from control_plane.db.sealing import SETTING, SealBroken, Sealer
from control_plane.models import Event, SealCheck
from control_plane.models_admin import AdminUser, Webhook

SEALED: Final[tuple[InstrumentedAttribute[Any], ...]] = (
    AdminUser.totp_secret,
    Webhook.secret,
    Event.origin_header,
    Event.origin_query,
)
_SAMPLE: Final = "streamgate"
_OTHER_KEY: Final = (
    f"{SETTING} is missing or is not the key that the secrets in the database were sealed with. Put that one back, "
    "alone or behind the new one with a comma between."
)


def seal_all(database_url: str, sealer: Sealer) -> int:
    """Seal whatever is not sealed with the key in force; return how many values no key opens.

    Synchronous: for starts and commands. Raise DatabaseUnusable for a key that is another one.
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
    """Do so within the caller's transaction. Without a key nothing is sealed, unless something was already."""
    hold_schema(connection)
    sample = connection.scalar(select(SealCheck.sample))
    if sample is None and not sealer.has_key:
        return 0
    _check(connection, sealer, sample)
    return sum(_renew(connection, sealer, column) for column in SEALED)


async def is_of_this_key(db: AsyncSession, sealer: Sealer) -> bool | None:
    """Tell whether this database was sealed with one of the keys; None where it was with none yet."""
    sample = await db.scalar(select(SealCheck.sample))
    try:
        return None if sample is None else sealer.open(sample) == _SAMPLE
    except SealBroken:
        return False


async def holds_secrets(db: AsyncSession) -> bool:
    """Tell whether anything is stored that belongs sealed."""
    return any([await db.scalar(select(column).where(column.is_not(None)).limit(1)) for column in SEALED])


async def adopt(db: AsyncSession, sealer: Sealer) -> None:
    """Make the first key the one of this database."""
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
    """Return how many could not be opened: one that was damaged stops only those who need it."""
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
