"""Commands for tickets: the rules of the API on a home's database, with the command line as the actor.

They print the API's JSON with --json, otherwise a table or a sentence.
"""

import sys
from collections.abc import Awaitable, Callable, Collection, Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy.ext.asyncio import AsyncSession

from control_plane.access import audit
from control_plane.access.actors import Actor
from control_plane.access.audit import About
from control_plane.access.audited_change import Action, AuditedChange
from control_plane.api.tickets import read_list, ticket_view
from control_plane.cli import commands
from control_plane.cli.options import HomeOption, JsonOption, LimitOption, PageOption, minute, print_json, print_page
from control_plane.clock import utc_now
from control_plane.codes import parse_code
from control_plane.db.database import Database
from control_plane.errors import MalformedRequest, NotFound, UnknownCode, UsageError
from control_plane.events import events
from control_plane.lifecycle import revocation
from control_plane.revocations import revocation_feed
from control_plane.schemas import EVENT_ID_PATTERN
from control_plane.schemas.tickets import TicketOrder, TicketQuery, TicketView
from control_plane.tables import Ticket
from control_plane.tickets import csv_text, ticket_export, tickets
from control_plane.tickets.tickets import TicketFilter
from control_plane.web.answers import Changed, Data, Searched

Rule = Callable[[AsyncSession, Collection[str], datetime], Awaitable[Sequence[Ticket]]]

app = typer.Typer(name="ticket", no_args_is_help=True, help="Tickets: the right to watch one event.")

NamesArgument = Annotated[
    list[str], typer.Argument(metavar="TICKET...", help="Codes or ids; - reads them from standard input, one per line.")
]


@app.command("generate")
def generate_tickets(
    event: Annotated[str, typer.Argument(help="The event's id.")],
    home: HomeOption,
    count: Annotated[int, typer.Option(help="1 to 1000.")],
    label: Annotated[str | None, typer.Option(help="A label for all of them.")] = None,
    *,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV, as the API exports it.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Generate tickets, all of them or none, and print their codes, one per line."""
    if as_csv and as_json:
        raise UsageError("--csv and --json cannot be combined.")
    title, generated = _generate(home, event, count=count, label=label)
    if as_json:
        print_json(generated)
    elif as_csv:
        _print_csv(title, generated.data)
    else:
        typer.echo("\n".join(view.code for view in generated.data))


@app.command("list")
def list_tickets(  # noqa: PLR0913 - one parameter per option
    home: HomeOption,
    event: Annotated[str | None, typer.Option(help="Only those of this event: its id.")] = None,
    status: Annotated[str | None, typer.Option(help="unused, redeemed, expired or revoked.")] = None,
    search: Annotated[str | None, typer.Option(help="A part of the code or label.")] = None,
    page: PageOption = 1,
    limit: LimitOption = 50,
    *,
    as_json: JsonOption = False,
) -> None:
    """List tickets, newest first."""
    found = _list_page(home, event_id=event, status=status, search=search, page=page, limit=limit)
    if as_json:
        print_json(found)
        return
    rows = [
        (view.code, view.status, minute(view.expires_at), view.watching, view.event_id, view.label or "")
        for view in found.data
    ]
    print_page(("CODE", "STATUS", "EXPIRES (UTC)", "WATCHING", "EVENT", "LABEL"), rows, found.pagination)
    if found.note:
        typer.echo(found.note, err=True)


@app.command("revoke")
def revoke_tickets(tickets: NamesArgument, home: HomeOption, *, as_json: JsonOption = False) -> None:
    """Revoke tickets, all of them or none; whoever is watching with one is cut off at once."""
    changed = _change(home, Action.TICKET_REVOKE, revocation.revoke_all, _names(tickets))
    if as_json:
        print_json(changed)
    else:
        typer.echo(_sentence("Revoked", len(changed.data)))


@app.command("unrevoke")
def unrevoke_tickets(tickets: NamesArgument, home: HomeOption, *, as_json: JsonOption = False) -> None:
    """Make revoked tickets valid again, all of them or none."""
    changed = _change(home, Action.TICKET_UNREVOKE, _unrevoke_all, _names(tickets))
    if as_json:
        print_json(changed)
    else:
        typer.echo(_sentence("Un-revoked", len(changed.data)))


def _sentence(done: str, count: int) -> str:
    return f"{done} {count} {'ticket' if count == 1 else 'tickets'}."


def _names(given: list[str]) -> list[str]:
    """Return the names, read from standard input if given as `-`. Raise UsageError if there are none."""
    names = [line.strip() for line in sys.stdin if line.strip()] if given == ["-"] else given
    if not names:
        raise UsageError("Standard input contains no codes or ids.")
    return names


def _print_csv(title: str, views: list[TicketView]) -> None:
    typer.echo(csv_text.line(ticket_export.HEADINGS) + ticket_export.lines(title, views), nl=False)


def _generate(home: Path, event_id: str, **values: object) -> tuple[str, Data[list[TicketView]]]:
    """Return the event's title and its new tickets. Raise OperatorError."""
    order = commands.parse(TicketOrder, values)

    async def work(change: AuditedChange) -> tuple[str, Data[list[TicketView]]]:
        change.subject = event_id
        try:
            event = await events.find(change.db, event_id)
        except NotFound:
            raise NotFound("There is no event with this id.") from None
        generated = await tickets.generate(change.db, event, order.count, change.now, order.label)
        change.event_id, change.detail = event.id, {"count": order.count}
        return event.title, Data(data=[ticket_view(ticket) for ticket in generated])

    return commands.apply_change(home, Action.TICKET_GENERATE, work)


def _list_page(home: Path, **values: object) -> Searched[TicketView]:
    """Return one page of tickets. Raise OperatorError."""
    query = commands.parse(TicketQuery, values)
    ticket_filter = TicketFilter(query.event_id, query.status, query.search or None)

    async def work(database: Database) -> Searched[TicketView]:
        async with database.read() as db:
            found = await read_list(db, ticket_filter, query, utc_now(), commands.alive_since(home))
        return Searched(data=found.views, pagination=commands.pagination(query, found.total), note=found.note)

    return commands.on_database(home, work)


async def _unrevoke_all(db: AsyncSession, ticket_ids: Collection[str], now: datetime) -> Sequence[Ticket]:
    await tickets.hold_all(db, ticket_ids)
    return [await revocation.unrevoke(db, ticket_id, now) for ticket_id in sorted(ticket_ids)]


def _change(home: Path, action: Action, rule: Rule, names: Sequence[str]) -> Changed[list[TicketView]]:
    async def work(change: AuditedChange) -> Changed[list[TicketView]]:
        changed = await rule(change.db, await _find_all(change.db, names), change.now)
        _record_each(change, action, changed)
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
                f"Nothing was changed: number {position} of {len(names)} is not the code or id of a ticket."
            ) from None
        found.add(ticket.id)
    return found


async def _by_code(db: AsyncSession, text: str) -> Ticket:
    ticket, _ = await tickets.find_by_code(db, parse_code(text))
    return ticket


def _record_each(change: AuditedChange, action: Action, changed: Sequence[Ticket]) -> None:
    """Add the change to the history of each ticket."""
    first, *others = changed
    change.subject, change.ticket_id, change.event_id = first.id, first.id, first.event_id
    for ticket in others:
        audit.record(change.db, Actor.command(), action.word, change.now, About(ticket.id, ticket.event_id, ticket.id))
