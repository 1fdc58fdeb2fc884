"""Deleted codes and events can be created again: a code by an import, an event with a chosen id.

The feed may still refuse them, for as long as a token of the deleted one lasts. So that entry is lifted like a
revocation: old tokens stay refused, tokens issued from now on are allowed.
"""

from collections.abc import Collection
from datetime import datetime
from typing import Final

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from authz_sidecar.contract.feed import Change, Kind
from control_plane.batches import batches
from control_plane.revocations import revocation_feed
from control_plane.tables import RevocationChange

_BATCH_SIZE: Final = 500  # subjects in a statement


async def lift_deleted(db: AsyncSession, kind: Kind, subjects: Collection[str], now: datetime) -> dict[str, int]:
    """Lift the refusals of these. Return the second from which tokens are valid, for each that was refused."""
    soon, until, begins = int(now.timestamp()) + 1, dict[str, float](), dict[str, int]()
    row = RevocationChange
    for batch in batches(subjects, _BATCH_SIZE):
        query = select(row.subject, row.not_before, row.expires_at)
        for subject, not_before, expires_at in await db.execute(
            query.where(row.kind == kind.value, row.subject.in_(batch))
        ):
            begins[subject], until[subject] = max(soon, not_before or 0), expires_at.timestamp()
    changes = [Change(kind, name, False, begin, now.timestamp(), until[name]) for name, begin in begins.items()]
    await revocation_feed.append_all(db, changes)
    return begins
