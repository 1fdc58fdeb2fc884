"""Tickets to search for, and searches by the rules of the application."""

from datetime import UTC, datetime, timedelta
from typing import Any

from control_plane.clock import utc_now
from control_plane.db.database import Database
from control_plane.lifecycle import event_changes
from control_plane.schemas.events import EventDraft
from control_plane.tables import Event
from control_plane.tickets import ticket_search, tickets
from control_plane.tickets.ticket_search import SearchPage
from control_plane.tickets.tickets import TicketFilter

NOW = datetime.now(UTC)


async def add_event(database: Database, hours: float = 5) -> Event:
    draft = {"title": "Concert", "starts_at": NOW - timedelta(days=9), "ends_at": NOW + timedelta(hours=hours)}
    async with database.write() as db:
        return await event_changes.create_event(db, EventDraft.model_validate(draft), utc_now())


async def add(database: Database, event: Event, label: str | None, count: int = 1) -> list[str]:
    async with database.write() as db:
        return [ticket.id for ticket in await tickets.generate(db, event, count, utc_now(), label)]


async def find(database: Database, search: str, offset: int = 0, limit: int = 50, **wanted: Any) -> SearchPage:
    async with database.read() as db:
        return await ticket_search.page(db, TicketFilter(search=search, **wanted), NOW, offset, limit)


async def ids(database: Database, search: str, **wanted: Any) -> set[str]:
    found = await find(database, search, limit=200, **wanted)
    assert found.total == len(found.tickets)
    return {ticket.id for ticket in found.tickets}
