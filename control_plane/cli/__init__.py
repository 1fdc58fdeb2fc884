"""The command line: it reports results in sentences, and never shows a secret unless asked to.

There is one module per group of commands. A command imports what it needs when it runs, so that `--help` is fast and a
missing extra is reported in a sentence.
"""

import sys

try:
    import typer
except ImportError as missing:
    raise SystemExit("The control plane is not installed: pip install 'streamgate[control-plane]'.") from missing

from control_plane.cli import backups, doctoring, events, keys, secrets, service, tickets

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False, no_args_is_help=True)
service.add_to(app)
backups.add_to(app)
doctoring.add_to(app)
app.add_typer(events.app, name="event")
app.add_typer(tickets.app, name="ticket")
app.add_typer(keys.app, name="key")
app.add_typer(secrets.app, name="secrets")


def main() -> None:
    try:
        # Imported here, so that a missing extra is reported in a sentence.
        from control_plane.db.database import DatabaseUnusable  # noqa: PLC0415
        from control_plane.errors import OperatorError  # noqa: PLC0415
    except ModuleNotFoundError as error:
        sys.exit(f"{error.name} is missing: pip install 'streamgate[control-plane]'.")
    try:
        app()
    except (OperatorError, DatabaseUnusable) as error:
        print(f"streamgate: {error}", file=sys.stderr)  # noqa: T201
        sys.exit(error.exit_code)


@app.callback()
def _about() -> None:
    """Show a video stream to ticket holders only."""
