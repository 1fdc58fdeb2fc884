"""Import an organiser's own codes: all of a file or nothing, with a dry run beforehand that reports what is wrong.

A code that was deleted may be imported again: what the feed still says about it is lifted.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, TypeVar

from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from authz_sidecar.contract.feed import Kind
from control_plane.batches import batches
from control_plane.errors import Conflict, ImportRefused
from control_plane.events import events
from control_plane.revocations import revival
from control_plane.tables import Event, Ticket, new_id
from control_plane.tickets import tickets
from control_plane.tickets.ticket_csv import CodeLine, ParsedCodes, Problem

_BATCH_SIZE: Final = 500
_TAKEN: Final = "A ticket with this code already exists."
T = TypeVar("T")


async def check(db: AsyncSession, event_id: str, codes: ParsedCodes) -> Sequence[Problem]:
    """Return everything that is wrong or doubtful, in line order. Raise NotFound if there is no such event."""
    await events.find(db, event_id)
    return sorted([*codes.problems, *codes.questions, *await _taken(db, codes)])


async def run(db: AsyncSession, event_id: str, codes: ParsedCodes, now: datetime) -> Event:
    """Create the tickets and return their event. Raise NotFound, ImportRefused with all problems, or Conflict."""
    event = await tickets.hold_event(db, event_id)
    if problems := await check(db, event_id, codes):
        raise ImportRefused(problems)
    not_before = await revival.lift_deleted(db, Kind.CODE, [line.code for line in codes.lines], now)
    rows = (_row(line, event, not_before.get(line.code, 0), now) for line in codes.lines)
    try:
        for batch in batches(rows, _BATCH_SIZE):
            await db.execute(insert(Ticket).returning(Ticket.id), batch)  # RETURNING makes it one statement
    except IntegrityError:  # only with concurrent writers
        raise Conflict("Some of these codes have just been taken; nothing was imported.") from None
    return event


async def _taken(db: AsyncSession, codes: ParsedCodes) -> list[Problem]:
    found: list[Problem] = []
    for batch in batches(codes.lines, _BATCH_SIZE):
        lines = {line.code: line.number for line in batch}
        taken = await db.scalars(select(Ticket.code).where(Ticket.code.in_(lines)))
        found += [Problem(lines[code], _TAKEN) for code in taken]
    return found


def _row(line: CodeLine, event: Event, tokens_not_before: int, now: datetime) -> dict[str, object]:
    return {
        "id": new_id(),
        "code": line.code,
        "event_id": event.id,
        "label": line.label,
        "expires_at": events.ticket_expiry(event),
        "tokens_not_before": tokens_not_before,
        "created_at": now,
    }
