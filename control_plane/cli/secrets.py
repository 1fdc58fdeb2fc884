"""Commands for the secrets in the database, which are sealed with SECRETS_KEY."""

from typing import Annotated

import typer

from control_plane.access.audited_change import Action, AuditedChange
from control_plane.cli import commands
from control_plane.cli.options import HomeOption, JsonOption, print_json
from control_plane.db.database import Database
from control_plane.errors import OperatorError
from control_plane.lifecycle import lost_secrets
from control_plane.lifecycle.lost_secrets import LostSecrets
from control_plane.ops import home_database
from control_plane.ops.backups.backup_home import locked_home
from control_plane.ops.home import read_environment

app = typer.Typer(name="secrets", no_args_is_help=True, help="The secrets in the database.")


@app.callback()
def _about() -> None:
    """Keep `reset` a subcommand: Typer would merge a single command with its group."""


@app.command("reset")
def reset_secrets(
    home: HomeOption,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Replace secrets that SECRETS_KEY cannot open because their key is lost. Stop the service first."""

    async def count(database: Database) -> lost_secrets.LostSecrets:
        async with database.read() as db:
            return await lost_secrets.count(db)

    async def replace(change: AuditedChange) -> lost_secrets.LostSecrets:
        lost = await lost_secrets.replace(change.db)
        change.detail = lost._asdict()
        return lost

    home = home.absolute()
    environment = read_environment(home)
    if not home_database.sealer(environment).has_key:
        raise OperatorError("Set SECRETS_KEY to a new key of at least 32 characters first.")
    with locked_home(home, home_database.database_url(environment)):
        found = commands.on_database(home, count)
        if not yes:
            typer.echo(_question(found), err=True)
            typer.confirm("Continue?", abort=True, err=True)
        lost = commands.apply_change(home, Action.SECRETS_RESET, replace)
    if as_json:
        print_json({"data": lost._asdict()})
    else:
        typer.echo(f"Replaced {lost.total} secrets. SECRETS_KEY is now the key of this database.")


def _question(found: LostSecrets) -> str:
    """Return the question to confirm: what cannot be opened, and what happens to it."""
    return "\n".join(
        (
            "SECRETS_KEY cannot open these secrets. If you still have the key that sealed them, stop here and put",
            "that key after the new one, separated by a comma: the next start then seals everything with the new key.",
            f"- authentication apps: {found.users}. These users sign in with a recovery code and set the app up again.",
            f"  {found.codeless} of them have no code left and sign in with their password alone.",
            f"- webhooks: {found.webhooks}. They are switched off; create them again.",
            f"- events whose origin is shown a secret: {found.events}. Enter it again.",
        )
    )
