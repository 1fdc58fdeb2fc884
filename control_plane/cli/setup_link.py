"""The set-up link on the command line. It is a secret, shown only on request or on a terminal."""

from pathlib import Path

import typer

from control_plane.access.audited_change import Action, AuditedChange
from control_plane.accounts import setup_link as setup_links
from control_plane.cli import commands
from control_plane.cli.options import HomeOption
from control_plane.ops.home import public_port, read_environment, setup_link_file
from control_plane.ops.processes import local_url

app = typer.Typer()


@app.command()
def setup_link(home: HomeOption) -> None:
    """Print a link, valid for a day, that creates the first owner; only while there is no account."""
    typer.echo(create_link(home))


def create_link(home: Path) -> str:
    """Return a new link that creates the first owner. Raise OperatorError if there is an account already."""
    environment = read_environment(home)
    origin = environment.get("PLATFORM_APP_URL", "").rstrip("/")

    async def work(change: AuditedChange) -> str:
        return await setup_links.make(change.db, change.now)

    token = commands.apply_change(home, Action.SETUP_LINK_CREATE, work)
    return setup_links.link(origin or local_url("127.0.0.1", public_port(environment)), token)


def hint(home: Path, *, is_terminal: bool) -> str | None:
    """Return how to create the first owner, None if there is one. Show the link only on a terminal, else its file."""
    file = setup_link_file(home.absolute())
    try:
        link = file.read_text(encoding="utf-8").strip()
    except OSError:
        return None
    if is_terminal:
        return f"There is no account yet. Create yours here within a day: {link}"
    return f"There is no account yet. The link to create one is in {file}"
