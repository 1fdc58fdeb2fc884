"""Commands for tickets: they print the API's JSON with --json, otherwise a table or a sentence."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from control_plane.cli.options import HomeOption, JsonOption, LimitOption, PageOption, minute, print_json, print_page

if TYPE_CHECKING:
    from control_plane.schemas import TicketView

app = typer.Typer(no_args_is_help=True, help="Tickets: the right to watch one event.")

NamesArgument = Annotated[
    list[str], typer.Argument(metavar="TICKET...", help="Codes or ids; - reads them from standard input, one per line.")
]


@app.command("generate")
def generate_tickets(
    event: Annotated[str, typer.Argument(help="The event's id.")],
    home: HomeOption,
    count: Annotated[int, typer.Option(help="1 to 1000.")],
    label: Annotated[str | None, typer.Option(help="What all of them are for.")] = None,
    *,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print what the console exports.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Generate tickets, all of them or none, and print their codes, one per line."""
    from control_plane.cli import ticket_commands  # noqa: PLC0415  see control_plane.cli
    from control_plane.errors import UsageError  # noqa: PLC0415

    if as_csv and as_json:
        raise UsageError("--csv and --json exclude each other.")
    title, generated = ticket_commands.generate(home, event, count=count, label=label)
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
    from control_plane.cli import ticket_commands  # noqa: PLC0415  see control_plane.cli

    found = ticket_commands.list_page(home, event_id=event, status=status, search=search, page=page, limit=limit)
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
    from control_plane.cli import ticket_commands  # noqa: PLC0415  see control_plane.cli

    changed = ticket_commands.revoke(home, _names(tickets))
    if as_json:
        print_json(changed)
    else:
        typer.echo(f"Revoked: {len(changed.data)}.")


@app.command("unrevoke")
def unrevoke_tickets(tickets: NamesArgument, home: HomeOption, *, as_json: JsonOption = False) -> None:
    """Make revoked tickets valid again, all of them or none."""
    from control_plane.cli import ticket_commands  # noqa: PLC0415  see control_plane.cli

    changed = ticket_commands.unrevoke(home, _names(tickets))
    if as_json:
        print_json(changed)
    else:
        typer.echo(f"Un-revoked: {len(changed.data)}.")


def _names(given: list[str]) -> list[str]:
    """Return the names, read from standard input if given as `-`. Raise UsageError if there are none."""
    from control_plane.errors import UsageError  # noqa: PLC0415  see control_plane.cli

    names = [line.strip() for line in sys.stdin if line.strip()] if given == ["-"] else given
    if not names:
        raise UsageError("There is no code and no id on standard input.")
    return names


def _print_csv(title: str, views: "list[TicketView]") -> None:
    from control_plane.tickets import csv_text  # noqa: PLC0415  see control_plane.cli

    heading = "Code", "Event Title", "Expires At", "Label", "Status"
    rows = [(view.code, title, view.expires_at.isoformat(), view.label, view.status) for view in views]
    typer.echo("".join(map(csv_text.line, (heading, *rows))), nl=False)
