"""Commands for events: they print the API's JSON with --json, otherwise a table or a sentence."""

from typing import Annotated

import typer

from control_plane.cli.options import HomeOption, JsonOption, LimitOption, PageOption, minute, print_json, print_page

app = typer.Typer(no_args_is_help=True, help="Events: something to watch.")


@app.command("create")
def create_event(  # noqa: PLR0913 - one parameter per option
    home: HomeOption,
    *,
    title: Annotated[str, typer.Option(help="At most 200 characters.")],
    starts_at: Annotated[str, typer.Option(help="With its time zone, like 2027-05-01T20:00+02:00.")],
    ends_at: Annotated[str, typer.Option(help="With its time zone.")],
    event_id: Annotated[
        str | None, typer.Option("--id", help="A UUID, its stream folder; generated if omitted.")
    ] = None,
    description: Annotated[str | None, typer.Option(help="At most 4000 characters.")] = None,
    stream_url: Annotated[str | None, typer.Option(help="Where its stream comes from, if not from here.")] = None,
    poster_url: Annotated[str | None, typer.Option(help="An https address.")] = None,
    access_window_hours: Annotated[int, typer.Option(help="How many hours tickets stay valid after its end.")] = 48,
    hold_until_start: Annotated[bool, typer.Option("--hold/--no-hold", help="Let nobody in before it starts.")] = True,
    session_policy: Annotated[str, typer.Option(help="refuse or takeover.")] = "refuse",
    max_devices: Annotated[int, typer.Option(help="How many devices may watch on one ticket.")] = 1,
    as_json: JsonOption = False,
) -> None:
    """Create an event and print its id."""
    from control_plane.cli import event_commands  # noqa: PLC0415  see control_plane.cli

    created = event_commands.create(
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
    from control_plane.cli import event_commands  # noqa: PLC0415  see control_plane.cli

    found = event_commands.list_page(home, page=page, limit=limit)
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
    from control_plane.cli import event_commands  # noqa: PLC0415  see control_plane.cli

    closed = event_commands.deactivate(home, event)
    if as_json:
        print_json(closed)
    else:
        typer.echo(f"{closed.data.id} is deactivated.")


@app.command("open-doors")
def open_doors(
    event: Annotated[str, typer.Argument(help="The event's id.")], home: HomeOption, *, as_json: JsonOption = False
) -> None:
    """Let everybody with a ticket in, also before the start."""
    from control_plane.cli import event_commands  # noqa: PLC0415  see control_plane.cli

    opened = event_commands.open_doors(home, event)
    if as_json:
        print_json(opened)
    else:
        typer.echo(f"The doors of {opened.data.id} are open.")


@app.command("close-doors")
def close_doors(
    event: Annotated[str, typer.Argument(help="The event's id.")], home: HomeOption, *, as_json: JsonOption = False
) -> None:
    """Keep everybody out until the doors are opened, including those who are watching."""
    from control_plane.cli import event_commands  # noqa: PLC0415  see control_plane.cli

    closed = event_commands.close_doors(home, event)
    if as_json:
        print_json(closed)
    else:
        typer.echo(f"The doors of {closed.data.id} are closed.")
