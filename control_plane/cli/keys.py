"""Commands for the keys that sign playback tokens."""

import dataclasses
import json
from typing import Annotated

import typer

from control_plane.cli.options import HomeOption, JsonOption
from control_plane.errors import UsageError
from control_plane.ops import key_file
from control_plane.ops.key_file import public_keys

app = typer.Typer(name="key", no_args_is_help=True, help="The keys that sign playback tokens.")


@app.command("rotate")
def rotate_key(
    home: HomeOption,
    algorithm: Annotated[str | None, typer.Option(help="HS256 or EdDSA; that of the first key if omitted.")] = None,
    keep: Annotated[int | None, typer.Option(help="How many older keys to keep; all of them if omitted.")] = None,
    *,
    standby: Annotated[bool, typer.Option("--standby", help="Add the key for edges; do not sign yet.")] = False,
    promote: Annotated[bool, typer.Option("--promote", help="Create no key; sign with the standby key.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Start signing with a new key, without a restart. Older keys remain valid until --keep drops them."""
    if algorithm not in {None, *key_file.Algorithm}:
        raise UsageError("--algorithm is HS256 or EdDSA.")
    if promote and (standby or algorithm):
        raise UsageError("--promote creates no key: it cannot be combined with --standby or --algorithm.")
    step = key_file.Step.STANDBY if standby else key_file.Step.PROMOTE if promote else key_file.Step.AT_ONCE
    rotation = key_file.rotate(home, key_file.Algorithm(algorithm) if algorithm else None, keep, step)
    if as_json:
        typer.echo(json.dumps(dataclasses.asdict(rotation), default=str))
        return
    verb = "is on standby" if standby else "signs"
    typer.echo(f"{rotation.file}: {rotation.kid} {verb}; {len(rotation.kept)} other keys remain valid.")
    if rotation.dropped:
        typer.echo(f"Dropped {len(rotation.dropped)} keys: tokens signed with them are now refused.")


@app.command("export-public")
def export_public_keys(home: HomeOption) -> None:
    """Print the public keys as a JWK set: the PLAYBACK_KEYS_FILE of an edge that can verify but not sign."""
    typer.echo(json.dumps(public_keys(home), indent=2))
