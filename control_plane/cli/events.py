"""Commands for events: the rules of the API on a home's database, with the command line as the actor.

They print the API's JSON with --json, otherwise a table or a sentence.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from authz_sidecar.contract.origin_addresses import OriginServer
from authz_sidecar.contract.origin_settings import allowed_hosts
from control_plane.access.audited_change import Action, AuditedChange
from control_plane.api.events import Rule, event_view
from control_plane.cli import commands
from control_plane.cli.options import HomeOption, JsonOption, LimitOption, PageOption, minute, print_json, print_page
from control_plane.db.database import Database
from control_plane.errors import NotFound, OperatorError
from control_plane.events import doors, events
from control_plane.lifecycle import event_changes, revocation
from control_plane.ops.home import read_environment
from control_plane.revocations import revocation_feed
from control_plane.schemas import Paging
from control_plane.schemas.events import EventDraft, EventView
from control_plane.tickets import event_figures
from control_plane.web.answers import Changed, Data, Page

app = typer.Typer(name="event", no_args_is_help=True, help="Events: something to watch.")


@app.command("create")
def create_event(  # noqa: PLR0913 - one parameter per option
    home: HomeOption,
    *,
    title: Annotated[str, typer.Option(help="At most 200 characters.")],
    starts_at: Annotated[str, typer.Option(help="With a time zone, like 2027-05-01T20:00+02:00.")],
    ends_at: Annotated[str, typer.Option(help="With a time zone.")],
    event_id: Annotated[
        str | None, typer.Option("--id", help="A UUID, its stream folder; generated if omitted.")
    ] = None,
    description: Annotated[str | None, typer.Option(help="At most 4000 characters.")] = None,
    stream_url: Annotated[str | None, typer.Option(help="The URL of its stream, if it is not local.")] = None,
    poster_url: Annotated[str | None, typer.Option(help="An https address.")] = None,
    access_window_hours: Annotated[int, typer.Option(help="How many hours tickets stay valid after its end.")] = 48,
    hold_until_start: Annotated[bool, typer.Option("--hold/--no-hold", help="Let nobody in before it starts.")] = True,
    session_policy: Annotated[str, typer.Option(help="refuse or takeover.")] = "refuse",
    max_devices: Annotated[int, typer.Option(help="How many devices may watch on one ticket.")] = 1,
    as_json: JsonOption = False,
) -> None:
    """Create an event and print its id."""
    created = _create(
        home,
        id=event_id,
        title=title,
        description=description,
        stream_url=stream_url,
        poster_url=poster_url,
        starts_at=starts_at,
        ends_at=ends_at,
        access_window_hours=access_window_hours,
        hold_until_start=hold_until_start,
        session_policy=session_policy,
        max_devices=max_devices,
    )
    if as_json:
        print_json(created)
    else:
        typer.echo(created.data.id)


@app.command("list")
def list_events(
    home: HomeOption, page: PageOption = 1, limit: LimitOption = 50, *, as_json: JsonOption = False
) -> None:
    """List events that are not archived, latest start first."""
    found = _list_page(home, page=page, limit=limit)
    if as_json:
        print_json(found)
        return
    rows = [
        (view.id, minute(view.starts_at), minute(view.ends_at), view.is_active, view.tickets, view.watching, view.title)
        for view in found.data
    ]
    headings = ("ID", "STARTS (UTC)", "ENDS (UTC)", "ACTIVE", "TICKETS", "WATCHING", "TITLE")
    print_page(headings, rows, found.pagination)


@app.command("deactivate")
def deactivate_event(
    event: Annotated[str, typer.Argument(help="The event's id.")], home: HomeOption, *, as_json: JsonOption = False
) -> None:
    """Close an event to everybody at once, including those who are watching."""
    closed = _change(home, event, Action.EVENT_DEACTIVATE, revocation.deactivate)
    if as_json:
        print_json(closed)
    else:
        typer.echo(f"{closed.data.id} is deactivated.")


@app.command("open-doors")
def open_doors(
    event: Annotated[str, typer.Argument(help="The event's id.")], home: HomeOption, *, as_json: JsonOption = False
) -> None:
    """Let everybody with a ticket in, even before the start."""
    opened = _change(home, event, Action.EVENT_OPEN_DOORS, doors.open_doors)
    if as_json:
        print_json(opened)
    else:
        typer.echo(f"The doors of {opened.data.id} are open.")


@app.command("close-doors")
def close_doors(
    event: Annotated[str, typer.Argument(help="The event's id.")], home: HomeOption, *, as_json: JsonOption = False
) -> None:
    """Keep everybody out until the doors are opened, including those who are watching."""
    closed = _change(home, event, Action.EVENT_CLOSE_DOORS, doors.close_doors)
    if as_json:
        print_json(closed)
    else:
        typer.echo(f"The doors of {closed.data.id} are closed.")


def _create(home: Path, **values: object) -> Data[EventView]:
    """Create an event. Raise OperatorError."""
    draft = commands.parse(EventDraft, values)
    allowed = _allowed(read_environment(home))

    async def work(change: AuditedChange) -> Data[EventView]:
        event = await event_changes.create_event(change.db, draft, change.now, allowed)
        change.subject = change.event_id = event.id
        return Data(data=event_view(event))

    return commands.apply_change(home, Action.EVENT_CREATE, work)


def _list_page(home: Path, **values: object) -> Page[EventView]:
    """Return one page of events. Raise OperatorError."""
    paging = commands.parse(Paging, values)

    async def work(database: Database) -> Page[EventView]:
        async with database.read() as db:
            found, total = await events.page(db, paging.offset, paging.limit)
            figures = await event_figures.figures(db, [event.id for event in found], commands.alive_since(home))
        return Page(
            data=[event_view(event, figures.get(event.id)) for event in found],
            pagination=commands.pagination(paging, total),
        )

    return commands.on_database(home, work)


def _change(home: Path, event_id: str, action: Action, rule: Rule) -> Changed[EventView]:
    async def work(change: AuditedChange) -> Changed[EventView]:
        try:
            event = await rule(change.db, event_id, change.now)
        except NotFound:
            raise NotFound("There is no event with this id.") from None
        change.subject = change.event_id = event.id
        return Changed(data=event_view(event), revocation=await revocation_feed.head(change.db))

    return commands.apply_change(home, action, work)


def _allowed(environment: Mapping[str, str]) -> tuple[OriginServer, ...]:
    try:
        return allowed_hosts(environment)
    except ValueError as error:
        raise OperatorError(str(error)) from None
