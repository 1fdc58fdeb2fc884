"""What was deleted may come again, by an import of its code or as an event with a chosen id.

The feed may still refuse it then, for as long as a token of the deleted one lasts. So that entry is lifted as that of
a revocation is: old tokens stay refused, what is minted from now on plays.
"""

from collections.abc import Collection, Iterable, Iterator
from datetime import datetime
from itertools import islice
from typing import Final

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from authz_sidecar.contract.feed import Change, Kind
from control_plane.models import RevocationChange
from control_plane.revocations import revocation_feed

_AT_ONCE: Final = 500  # subjects in a statement


async def make_way(db: AsyncSession, kind: Kind, subjects: Collection[str], now: datetime) -> dict[str, int]:
    """Lift what refuses these. Return from which second tokens are good, for each that something refused."""
    soon, until, begins = int(now.timestamp()) + 1, dict[str, float](), dict[str, int]()
    row = RevocationChange
    for some in _portions(subjects):
        query = select(row.subject, row.not_before, row.expires_at)
        for subject, not_before, expires_at in await db.execute(
            query.where(row.kind == kind.value, row.subject.in_(some))
        ):
            begins[subject], until[subject] = max(soon, not_before or 0), expires_at.timestamp()
    changes = [Change(kind, name, False, begin, now.timestamp(), until[name]) for name, begin in begins.items()]
    await revocation_feed.append_all(db, changes)
    return begins


def _portions(subjects: Iterable[str]) -> Iterator[list[str]]:
    rest = iter(subjects)
    while some := list(islice(rest, _AT_ONCE)):
        yield some
