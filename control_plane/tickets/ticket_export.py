"""Export an event's tickets in batches, oldest first, each batch in a read of its own.

Between two reads nothing is held, neither a transaction nor memory, however many tickets there are and however slow the
client is. Tickets created meanwhile come at the end; none comes twice.
"""

from collections.abc import AsyncIterator, Iterable, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple, Protocol

from sqlalchemy import literal, select, tuple_

from control_plane.db.database import Database, UtcDateTime
from control_plane.tables import Ticket
from control_plane.tickets import csv_text, tickets
from control_plane.tickets.ticket_search import has_status
from control_plane.tickets.tickets import TicketStatus

BATCH_SIZE: Final = 1_000
_POSITION: Final = (Ticket.created_at, Ticket.id)
_COLUMNS: Final = (Ticket.code, Ticket.expires_at, Ticket.label, Ticket.redeemed_at, Ticket.is_revoked)


HEADINGS: Final = ("Code", "Event Title", "Expires At", "Label", "Status")


class Exportable(Protocol):
    """What a line of the file tells about a ticket."""

    @property
    def code(self) -> str: ...
    @property
    def expires_at(self) -> datetime: ...
    @property
    def label(self) -> str | None: ...
    @property
    def status(self) -> TicketStatus: ...


class Exported(NamedTuple):
    code: str
    expires_at: datetime
    label: str | None
    status: TicketStatus


def lines(title: str, exported: Iterable[Exportable]) -> str:
    """Return the CSV lines of tickets of the event with this title."""
    return "".join(
        csv_text.line((one.code, title, one.expires_at.isoformat(), one.label, one.status)) for one in exported
    )


async def batches(
    database: Database, event_id: str, status: TicketStatus | None, now: datetime
) -> AsyncIterator[Sequence[Exported]]:
    query = select(*_POSITION, *_COLUMNS).where(Ticket.event_id == event_id).order_by(*_POSITION).limit(BATCH_SIZE)
    if status:
        query = query.where(has_status(Ticket, status, now))
    after: list[Any] = []
    while True:
        async with database.read() as db:  # columns, because objects take far longer
            rows = (await db.execute(query.where(*after))).all()
        if rows:
            yield [_exported(row, now) for row in rows]
        if len(rows) < BATCH_SIZE:
            return
        created_at, ticket_id = rows[-1][:2]
        after = [tuple_(*_POSITION) > tuple_(literal(created_at, UtcDateTime()), literal(ticket_id))]


def _exported(row: Any, now: datetime) -> Exported:
    status = tickets.status(row.expires_at, row.redeemed_at, now, is_revoked=row.is_revoked)
    return Exported(row.code, row.expires_at, row.label, status)
