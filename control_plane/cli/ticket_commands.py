"""The ticket commands: they apply the rules of the API to a home's database, with the command line as the actor."""

from collections.abc import Awaitable, Callable, Collection, Sequence
from datetime import datetime
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncSession

from control_plane.access import audit
from control_plane.access.actors import Actor
from control_plane.access.audit import About
from control_plane.access.audited_change import Action, AuditedChange
from control_plane.api.tickets import search_note, ticket_view
from control_plane.cli import commands
from control_plane.clock import utc_now
from control_plane.codes import parse_code
from control_plane.db.database import Database
from control_plane.errors import MalformedRequest, NotFound, UnknownCode
from control_plane.events import events
from control_plane.lifecycle import revocation
from control_plane.models import Ticket
from control_plane.revocations import revocation_feed
from control_plane.schemas import EVENT_ID_PATTERN, TicketOrder, TicketQuery, TicketView
from control_plane.tickets import ticket_search, tickets
from control_plane.tickets.tickets import TicketFilter
from control_plane.web.answers import Changed, Data, Searched

Rule = Callable[[AsyncSession, Collection[str], datetime], Awaitable[Sequence[Ticket]]]


def generate(home: Path, event_id: str, **values: object) -> tuple[str, Data[list[TicketView]]]:
    """Return the event's title and its new tickets. Raise OperatorError."""
    order = commands.parse(TicketOrder, values)

    async def work(change: AuditedChange) -> tuple[str, Data[list[TicketView]]]:
        change.subject = event_id
        try:
            event = await events.find(change.db, event_id)
        except NotFound:
            raise NotFound("There is no event with this id.") from None
        generated = await tickets.generate(change.db, event, order.count, order.label)
        change.event_id, change.detail = event.id, {"count": order.count}
        return event.title, Data(data=[ticket_view(ticket) for ticket in generated])

    return commands.apply_change(home, Action.TICKET_GENERATE, work)


def list_page(home: Path, **values: object) -> Searched[TicketView]:
    """Return one page of tickets. Raise OperatorError."""
    query = commands.parse(TicketQuery, values)
    ticket_filter = TicketFilter(query.event_id, query.status, query.search or None)

    async def work(database: Database) -> Searched[TicketView]:
        async with database.read() as db:
            found = await ticket_search.page(db, ticket_filter, utc_now(), query.offset, query.limit)
            watching = await tickets.watching(db, [ticket.id for ticket in found.tickets], commands.alive_since(home))
        return Searched(
            data=[ticket_view(ticket, watching.get(ticket.id, 0)) for ticket in found.tickets],
            pagination=commands.pagination(query, found.total),
            note=search_note(found),
        )

    return commands.on_database(home, work)


def revoke(home: Path, names: Sequence[str]) -> Changed[list[TicketView]]:
    """Revoke tickets by code or id, all of them or none. Raise OperatorError."""
    return _change(home, Action.TICKET_REVOKE, revocation.revoke_all, names)


def unrevoke(home: Path, names: Sequence[str]) -> Changed[list[TicketView]]:
    """Make revoked tickets valid again, all of them or none. Raise OperatorError."""
    return _change(home, Action.TICKET_UNREVOKE, _unrevoke_all, names)


async def _unrevoke_all(db: AsyncSession, ticket_ids: Collection[str], now: datetime) -> Sequence[Ticket]:
    await tickets.hold_all(db, ticket_ids)
    return [await revocation.unrevoke(db, ticket_id, now) for ticket_id in sorted(ticket_ids)]


def _change(home: Path, action: Action, rule: Rule, names: Sequence[str]) -> Changed[list[TicketView]]:
    async def work(change: AuditedChange) -> Changed[list[TicketView]]:
        now = utc_now()
        changed = await rule(change.db, await _find_all(change.db, names), now)
        _record_each(change, action, now, changed)
        views = [ticket_view(ticket) for ticket in changed]
        return Changed(data=views, revocation=await revocation_feed.head(change.db))

    return commands.apply_change(home, action, work)


async def _find_all(db: AsyncSession, names: Sequence[str]) -> set[str]:
    """Return the ids. Raise NotFound with the position, not the code: the output may be sent by mail."""
    found: set[str] = set()
    for position, name in enumerate(names, 1):
        try:
            is_id = EVENT_ID_PATTERN.match(name.lower())
            ticket = await (tickets.find(db, name.lower()) if is_id else _by_code(db, name))
        except (NotFound, MalformedRequest, UnknownCode):
            raise NotFound(
                f"Nothing was changed: number {position} of {len(names)} is no ticket's code or id."
            ) from None
        found.add(ticket.id)
    return found


async def _by_code(db: AsyncSession, text: str) -> Ticket:
    ticket, _ = await tickets.find_by_code(db, parse_code(text))
    return ticket


def _record_each(change: AuditedChange, action: Action, now: datetime, changed: Sequence[Ticket]) -> None:
    """Add the change to the history of each ticket."""
    first, *others = changed
    change.subject, change.ticket_id, change.event_id = first.id, first.id, first.event_id
    for ticket in others:
        audit.record(change.db, Actor.command(), action.word, now, About(ticket.id, ticket.event_id, ticket.id))
