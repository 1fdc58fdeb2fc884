"""The commands `backup` and `restore`."""

import dataclasses
from pathlib import Path
from typing import Annotated

import typer

from control_plane.cli.options import HomeOption, JsonOption, print_json
from control_plane.clock import utc_now
from control_plane.ops.backups.backup_home import back_up
from control_plane.ops.backups.backup_home import restore as restore_home

app = typer.Typer()


@app.command()
def backup(
    file: Annotated[Path, typer.Argument(help="The new file; readable by its owner only.")],
    home: HomeOption,
    *,
    with_secrets: Annotated[
        bool, typer.Option("--with-secrets", help="Include the settings and keys, to restore elsewhere.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Write the whole database to one file; the service may be running. Never overwrites a file."""
    trailer = back_up(home, file, utc_now(), with_secrets=with_secrets)
    if as_json:
        print_json({"file": file, "settings": with_secrets, "rows": trailer.rows})
        return
    typer.echo(f"{file}: {_counts(trailer.rows)}; {'with' if with_secrets else 'without'} settings and keys.")


@app.command()
def restore(
    file: Annotated[Path, typer.Argument(help="A file written by `streamgate backup`.")],
    home: HomeOption,
    *,
    force: Annotated[bool, typer.Option("--force", help="Replace everything in a database that is not empty.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Replace the database with a backup, completely or not at all. A new home also takes the backup's settings."""
    restored = restore_home(home, file, force=force)
    if as_json:
        print_json(dataclasses.asdict(restored))
        return
    typer.echo(f"{home} is as it was on {restored.created_at:%Y-%m-%d at %H:%M:%S} UTC: {_counts(restored.rows)}.")
    typer.echo("What was done since then is undone: tickets that were revoked later are valid again.")


def _counts(rows: dict[str, int]) -> str:
    events, tickets = rows.get("event", 0), rows.get("ticket", 0)
    return f"{events} events, {tickets} tickets, {sum(rows.values())} rows in all"
