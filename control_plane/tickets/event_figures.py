"""Statistics of an event: its tickets by status, and how many sessions are watching now."""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import func, literal_column, select
from sqlalchemy.ext.asyncio import AsyncSession

from control_plane.clock import utc_now
from control_plane.events.events import ended
from control_plane.tables import Ticket, ViewingSession, is_watching
from control_plane.tickets import ticket_counts
from control_plane.tickets.ticket_counts import Counts


@dataclass(frozen=True, slots=True)
class EventFigures:
    """An event's tickets by status, and how many sessions are watching now."""

    counts: Counts = field(default_factory=Counts)
    watching: int = 0


async def figures(
    db: AsyncSession, event_ids: Collection[str], alive_since: datetime, now: datetime | None = None
) -> dict[str, EventFigures]:
    """Count tickets and current viewers of the given events; events without tickets are left out."""
    # Start from the sessions, which are few: SQLite would start from the tickets.
    of_event = Ticket.event_id.concat(literal_column("''"))
    live = (
        select(of_event, func.count())
        .select_from(ViewingSession)
        .join(Ticket, ViewingSession.ticket_id == Ticket.id)
        .where(is_watching(alive_since), of_event.in_(event_ids))
    )
    watching = dict((await db.execute(live.group_by(Ticket.event_id))).all())
    counts = await ticket_counts.by_status(db, await ended(db, now or utc_now()), event_ids)
    return {event_id: EventFigures(each, watching.get(event_id, 0)) for event_id, each in counts.items()}
