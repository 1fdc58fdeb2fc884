"""Commands that create a home and run the service."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from control_plane.accounts.passwords import hash_password as hashed
from control_plane.cli import setup_link
from control_plane.cli.options import HomeOption
from control_plane.db.database import upgrade_schema
from control_plane.errors import OperatorError, UsageError
from control_plane.ops import nginx_version, processes, supervisor
from control_plane.ops.binaries import find_nginx
from control_plane.ops.demo import run_demo
from control_plane.ops.home import create_home, ensure_secrets_key, new_password
from control_plane.ops.home_database import sealer
from control_plane.sealed_columns import seal_all

SidecarsOption = Annotated[int, typer.Option(help="How many sidecars answer nginx.")]
HostOption = Annotated[str, typer.Option(help="The address nginx listens on.")]


app = typer.Typer()


@app.command()
def init(
    home: HomeOption,
    admin_password: Annotated[str | None, typer.Option(help="Generated and printed once if omitted.")] = None,
    port: Annotated[int, typer.Option(envvar="PORT", help="The public port.")] = 8080,
    stream_root: Annotated[Path | None, typer.Option(help="The folder of the streams; HOME/streams if unset.")] = None,
    *,
    without_password: Annotated[
        bool, typer.Option("--setup-link", help="Create no account: whoever opens the link that `up` shows does.")
    ] = False,
) -> None:
    """Create a home: settings with new secrets, and an empty database. Never overwrites anything."""
    if without_password and admin_password is not None:
        raise UsageError("--setup-link creates no account: it cannot be combined with --admin-password.")
    password = None if without_password else new_password() if admin_password is None else admin_password
    create_home(home, password, port, stream_root)
    typer.echo(f"{home} is ready. Start it with: streamgate up --home {home}")
    if password is None:
        typer.echo("There is no account yet: start the service and open the link that it shows.")
    else:
        typer.echo(f"Sign in at /admin as admin with the password: {password}")


@app.command()
def up(home: HomeOption, sidecars: SidecarsOption = 1, host: HostOption = "127.0.0.1") -> None:
    """Run nginx, the sidecars and the control plane in the foreground, until SIGINT or SIGTERM."""
    stack = processes.prepare_stack(home, sidecars, host)
    warning = nginx_version.finding(find_nginx())

    def on_ready() -> None:
        typer.echo(f"StreamGate is up at {stack.url}")
        if hint := setup_link.hint(home, is_terminal=sys.stdout.isatty()):
            typer.echo(hint)

    supervisor.run(
        stack, on_ready=on_ready, warning=warning, reread=lambda: processes.describe_stack(home, sidecars, host)
    )


@app.command()
def demo(
    home: HomeOption,
    port: Annotated[int, typer.Option(envvar="PORT", help="The public port, if the home is created now.")] = 8080,
    sidecars: SidecarsOption = 1,
    host: HostOption = "127.0.0.1",
) -> None:
    """Run a demo: create a home, a recording, a live stream, two events and codes, then run everything."""
    run_demo(home, port, sidecars, host)


@app.command()
def migrate(
    home: Annotated[Path | None, typer.Option(help="Take DATABASE_URL from this home's settings.")] = None,
) -> None:
    """Migrate the database at DATABASE_URL to the current schema."""
    environment = ensure_secrets_key(home) if home else os.environ
    url = environment.get("DATABASE_URL")
    if not url:
        raise OperatorError("DATABASE_URL is not set; name the home with --home, or set it.")
    upgrade_schema(url)
    seal_all(url, sealer(environment))
    typer.echo("The database has the current schema.")


@app.command()
def hash_password() -> None:
    """Ask for a password, or read one line of standard input, and print its hash for ADMIN_PASSWORD_HASH."""
    if sys.stdin.isatty():
        password = typer.prompt("Password", hide_input=True, confirmation_prompt=True)
    else:
        password = sys.stdin.readline().rstrip("\r\n")
    if not password.strip():
        raise UsageError("The password must not be empty.")
    typer.echo(hashed(password))
