"""What the ticket commands do: the rules of the API, in the command line's name, on a home's database."""

from collections.abc import Awaitable, Callable, Collection, Sequence
from datetime import datetime
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncSession

from control_plane.access import audit
from control_plane.access.actors import Actor
from control_plane.access.audit import About
from control_plane.access.audited_change import Action, AuditedChange
from control_plane.api.tickets import note_on, ticket_view
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

Change = Callable[[AsyncSession, Collection[str], datetime], Awaitable[Sequence[Ticket]]]


def generate(home: Path, event_id: str, **values: object) -> tuple[str, Data[list[TicketView]]]:
    """Give the event's title and its new tickets. Raise OperatorError."""
    order = commands.parse(TicketOrder, values)

    async def work(deed: AuditedChange) -> tuple[str, Data[list[TicketView]]]:
        deed.subject = event_id
        try:
            event = await events.find(deed.db, event_id)
        except NotFound:
            raise NotFound("There is no event with this id.") from None
        made = await tickets.generate(deed.db, event, order.count, order.label)
        deed.event_id, deed.detail = event.id, {"count": order.count}
        return event.title, Data(data=[ticket_view(ticket) for ticket in made])

    return commands.apply_change(home, Action.TICKET_GENERATE, work)


def list_page(home: Path, **values: object) -> Searched[TicketView]:
    """Raise OperatorError."""
    asked = commands.parse(TicketQuery, values)
    wanted = TicketFilter(asked.event_id, asked.status, asked.search or None)

    async def work(database: Database) -> Searched[TicketView]:
        async with database.read() as db:
            found = await ticket_search.page(db, wanted, utc_now(), asked.offset, asked.limit)
            watching = await tickets.watching(db, [ticket.id for ticket in found.tickets], commands.alive_since(home))
        return Searched(
            data=[ticket_view(ticket, watching.get(ticket.id, 0)) for ticket in found.tickets],
            pagination=commands.pagination(asked, found.total),
            note=note_on(found),
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


def _change(home: Path, action: Action, change: Change, names: Sequence[str]) -> Changed[list[TicketView]]:
    async def work(deed: AuditedChange) -> Changed[list[TicketView]]:
        now = utc_now()
        changed = await change(deed.db, await _find_all(deed.db, names), now)
        _tell(deed, action, now, changed)
        views = [ticket_view(ticket) for ticket in changed]
        return Changed(data=views, revocation=await revocation_feed.head(deed.db))

    return commands.apply_change(home, action, work)


async def _find_all(db: AsyncSession, names: Sequence[str]) -> set[str]:
    """Return the ids. Raise NotFound, which tells the place and not the code: it may end up in somebody's mail."""
    found: set[str] = set()
    for place, name in enumerate(names, 1):
        try:
            is_id = EVENT_ID_PATTERN.match(name.lower())
            ticket = await (tickets.find(db, name.lower()) if is_id else _by_code(db, name))
        except (NotFound, MalformedRequest, UnknownCode):
            raise NotFound(f"Nothing was changed: number {place} of {len(names)} is no ticket's code or id.") from None
        found.add(ticket.id)
    return found


async def _by_code(db: AsyncSession, typed: str) -> Ticket:
    ticket, _ = await tickets.find_by_code(db, parse_code(typed))
    return ticket


def _tell(deed: AuditedChange, action: Action, now: datetime, changed: Sequence[Ticket]) -> None:
    """Make it part of each ticket's history."""
    first, *others = changed
    deed.subject, deed.ticket_id, deed.event_id = first.id, first.id, first.event_id
    for ticket in others:
        audit.record(deed.db, Actor.command(), action.word, now, About(ticket.id, ticket.event_id, ticket.id))
