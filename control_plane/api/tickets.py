"""The admin API's tickets. The published paths say `tokens` for tickets."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, NamedTuple

from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import Response

from control_plane.access import audit
from control_plane.access.actors import Permission
from control_plane.access.audit import About
from control_plane.access.audited_change import Action, AuditedChange
from control_plane.clock import utc_now
from control_plane.errors import Conflict, NotFound
from control_plane.events import events
from control_plane.lifecycle import deletion, revocation
from control_plane.revocations import revocation_feed
from control_plane.schemas import Paging
from control_plane.schemas.tickets import TicketIds, TicketOrder, TicketQuery, TicketsOfEventQuery, TicketView
from control_plane.tables import Ticket
from control_plane.tickets import ticket_search, tickets
from control_plane.tickets.tickets import TicketFilter
from control_plane.web import answers
from control_plane.web.answers import Changed, Data, Searched
from control_plane.web.endpoints import Call, endpoint

_TOO_COMMON: Final = "More tickets may match than are shown and counted here. Use a longer search text to find them."


@endpoint(
    "POST /events/{event_id:uuid}/tokens/generate",
    permission=Permission.TICKETS,
    responses={201: Data[list[TicketView]]},
)
async def generate_tickets(call: Call, body: TicketOrder) -> Response:
    """Generate tickets with new codes, all of them or none."""
    async with call.audited_change(Action.TICKET_GENERATE, call.id("event_id")) as change:
        event = await events.find(change.db, call.id("event_id"))
        generated = await tickets.generate(change.db, event, body.count, change.now, body.label)
        change.event_id, change.detail = event.id, {"count": body.count}
    return answers.data([ticket_view(ticket) for ticket in generated], 201)


@endpoint("GET /events/{event_id:uuid}/tokens", permission=Permission.READ, responses={200: Searched[TicketView]})
async def list_tickets_of_event(call: Call, query: TicketsOfEventQuery) -> Response:
    """List the tickets of one event, newest first."""
    async with call.app.database.read() as db:
        await events.find(db, call.id("event_id"))
    return await _page(call, query, TicketFilter(call.id("event_id"), query.status, query.search or None))


@endpoint("GET /tokens", permission=Permission.READ, responses={200: Searched[TicketView]})
async def list_tickets(call: Call, query: TicketQuery) -> Response:
    """List tickets, newest first."""
    return await _page(call, query, TicketFilter(query.event_id, query.status, query.search or None))


@endpoint("PATCH /tokens/{ticket_id:uuid}/revoke", permission=Permission.REVOKE, responses={200: Changed[TicketView]})
async def revoke_ticket(call: Call) -> Response:
    """Revoke a ticket; viewers who are watching with it are disconnected."""
    async with call.audited_change(Action.TICKET_REVOKE, call.id("ticket_id")) as change:
        ticket = await revocation.revoke(change.db, call.id("ticket_id"), change.now)
        change.ticket_id, change.event_id = ticket.id, ticket.event_id
        cursor = await revocation_feed.head(change.db)
    return answers.changed(ticket_view(ticket), cursor)


@endpoint(
    "PATCH /tokens/{ticket_id:uuid}/unrevoke",
    permission=Permission.REVOKE,
    responses={200: Changed[TicketView]},
    refusals=(Conflict,),
)
async def unrevoke_ticket(call: Call) -> Response:
    """Make a revoked ticket valid again until it expires."""
    async with call.audited_change(Action.TICKET_UNREVOKE, call.id("ticket_id")) as change:
        ticket = await revocation.unrevoke(change.db, call.id("ticket_id"), change.now)
        change.ticket_id, change.event_id = ticket.id, ticket.event_id
        cursor = await revocation_feed.head(change.db)
    return answers.changed(ticket_view(ticket), cursor)


@endpoint(
    "POST /tokens/bulk-revoke",
    permission=Permission.REVOKE,
    responses={200: Changed[list[TicketView]]},
    refusals=(NotFound,),
)
async def revoke_tickets(call: Call, body: TicketIds) -> Response:
    """Revoke up to a thousand tickets, all of them or none."""
    async with call.audited_change(Action.TICKET_REVOKE) as change:
        found = await revocation.revoke_all(change.db, set(body.token_ids), change.now)
        _record_each(call, change, found)
        watching = await tickets.watching(change.db, [ticket.id for ticket in found], call.alive_since)
        cursor = await revocation_feed.head(change.db)
    return answers.changed([ticket_view(ticket, watching.get(ticket.id, 0)) for ticket in found], cursor)


@endpoint("DELETE /tokens/{ticket_id:uuid}", permission=Permission.TICKETS, responses={204: None})
async def delete_ticket(call: Call) -> Response:
    """Delete a ticket permanently; viewers who are watching with it are disconnected."""
    async with call.audited_change(Action.TICKET_DELETE, call.id("ticket_id")) as change:
        change.ticket_id = change.subject
        ticket = await deletion.delete_ticket(change.db, call.id("ticket_id"), change.now)
        change.event_id = ticket.event_id
    return answers.nothing()


def _record_each(call: Call, change: AuditedChange, revoked: Sequence[Ticket]) -> None:
    """Add the revocation to the history of each ticket."""
    first, *others = revoked
    change.subject, change.ticket_id, change.event_id = first.id, first.id, first.event_id
    for ticket in others:
        about = About(ticket.id, ticket.event_id, ticket.id)
        audit.record(change.db, call.actor, Action.TICKET_REVOKE.word, change.now, about)


async def _page(call: Call, query: TicketsOfEventQuery, ticket_filter: TicketFilter) -> Response:
    async with call.app.database.read() as db:
        found = await read_list(db, ticket_filter, query, call.now, call.alive_since)
    return answers.searched(found.views, query, found.total, found.note)


class TicketList(NamedTuple):
    """One page of tickets, how many there are on all pages, and a note if the search may have left tickets out."""

    views: list[TicketView]
    total: int
    note: str | None


async def read_list(
    db: AsyncSession, wanted: TicketFilter, paging: Paging, now: datetime, alive_since: datetime
) -> TicketList:
    """Return the tickets as they are listed everywhere: in the API, the console and the command line."""
    found = await ticket_search.page(db, wanted, now, paging.offset, paging.limit)
    watching = await tickets.watching(db, [ticket.id for ticket in found.tickets], alive_since)
    views = [ticket_view(ticket, watching.get(ticket.id, 0)) for ticket in found.tickets]
    return TicketList(views, found.total, None if found.is_whole else _TOO_COMMON)


def ticket_view(ticket: Ticket, watching: int = 0) -> TicketView:
    names = TicketView.model_fields.keys() - {"status", "watching"}
    values = {name: getattr(ticket, name) for name in names}
    return TicketView(**values, status=tickets.status_of(ticket, utc_now()), watching=watching)


ENDPOINTS = (
    generate_tickets,
    list_tickets_of_event,
    list_tickets,
    revoke_ticket,
    unrevoke_ticket,
    revoke_tickets,
    delete_ticket,
)
