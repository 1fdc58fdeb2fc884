"""Leases on rows: whoever holds one works on its row alone, until it is given back or has run out.

The holder knows the time that it wrote, so a lease that ran out and was taken by another process is noticed.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, or_, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped


class Leasable:
    """Part of a table whose rows can be leased. Until `free_at` a row is leased, or paused after a failure."""

    free_at: Mapped[datetime | None]


def is_free(table: type[Leasable], now: datetime) -> ColumnElement[bool]:
    return or_(table.free_at.is_(None), table.free_at <= now)


async def take(
    db: AsyncSession,
    table: type[Leasable],
    which: ColumnElement[bool],
    now: datetime,
    until: datetime,
    columns: Sequence[Any],
) -> Row[Any] | None:
    """Take a lease on a row and return these columns of it; None if it is not free."""
    taken = update(table).where(which, is_free(table, now)).values(free_at=until)
    return (await db.execute(taken.returning(*columns).execution_options(synchronize_session=False))).one_or_none()


async def give_back(
    db: AsyncSession,
    table: type[Leasable],
    which: ColumnElement[bool],
    until: datetime,
    free_at: datetime,
    **values: Any,
) -> bool:
    """End the lease that lasts `until`, and write these values. Return False, and write nothing, if it was lost."""
    held = update(table).where(which, table.free_at == until).values(free_at=free_at, **values)
    return (await db.execute(held.returning(table.free_at))).one_or_none() is not None
