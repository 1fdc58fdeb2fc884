"""The command line: it says what happened in sentences, and never shows a secret it was not asked for."""

import dataclasses
import json
import sys
from pathlib import Path
from typing import Annotated

try:
    import typer
except ImportError as missing:
    raise SystemExit("The control plane is not installed: pip install 'streamgate[control-plane]'.") from missing

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False, no_args_is_help=True)

key_app = typer.Typer(no_args_is_help=True, help="The keys that sign playback tokens.")
app.add_typer(key_app, name="key")

HomeOption = Annotated[Path, typer.Option(help="The folder of settings, database and logs.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
SidecarsOption = Annotated[int, typer.Option(help="How many sidecars answer nginx.")]
HostOption = Annotated[str, typer.Option(help="The address nginx listens on.")]


def main() -> None:
    try:
        from control_plane.home import OperatorError  # noqa: PLC0415  so that a missing extra is said in a sentence
    except ModuleNotFoundError as error:
        sys.exit(f"{error.name} is missing: pip install 'streamgate[control-plane]'.")
    try:
        app()
    except OperatorError as error:
        print(f"streamgate: {error}", file=sys.stderr)  # noqa: T201
        sys.exit(error.exit_code)


@app.callback()
def _about() -> None:
    """Show a video stream to ticket holders only."""


@app.command()
def init(
    home: HomeOption,
    admin_password: Annotated[str | None, typer.Option(help="Made up and printed once if left out.")] = None,
    port: Annotated[int, typer.Option(envvar="PORT", help="The public port.")] = 8080,
    stream_root: Annotated[Path | None, typer.Option(help="The folder of the streams; HOME/streams if unset.")] = None,
) -> None:
    """Make a home: settings with fresh secrets, and an empty database. Never overwrites."""
    from control_plane.home import create_home, new_password  # noqa: PLC0415  see main

    password = new_password() if admin_password is None else admin_password
    create_home(home, password, port, stream_root)
    typer.echo(f"{home} is ready. Start it with: streamgate up --home {home}")
    typer.echo(f"Sign in at /admin as admin with the password: {password}")


@app.command()
def up(home: HomeOption, sidecars: SidecarsOption = 1, host: HostOption = "127.0.0.1") -> None:
    """Run nginx, the sidecars and the control plane in the foreground, until SIGINT or SIGTERM."""
    from control_plane import processes, supervisor  # noqa: PLC0415  see main

    stack = processes.stack(home, sidecars, host)
    supervisor.run(stack, on_ready=lambda: typer.echo(f"StreamGate is up at {stack.url}"))


@app.command()
def demo(
    home: HomeOption,
    port: Annotated[int, typer.Option(envvar="PORT", help="The public port, when the home is made now.")] = 8080,
    sidecars: SidecarsOption = 1,
    host: HostOption = "127.0.0.1",
) -> None:
    """Show everything: make a home, a recording, a live stream, two events and codes, then run them."""
    from control_plane.demo import run_demo  # noqa: PLC0415  see main

    run_demo(home, port, sidecars, host)


@app.command()
def migrate(
    home: Annotated[Path | None, typer.Option(help="Take DATABASE_URL from this home's settings.")] = None,
) -> None:
    """Bring the database at DATABASE_URL to the current schema."""
    import os  # noqa: PLC0415  see main

    from control_plane.database import upgrade_schema  # noqa: PLC0415
    from control_plane.home import OperatorError, read_environment  # noqa: PLC0415

    url = (read_environment(home) if home else os.environ).get("DATABASE_URL")
    if not url:
        raise OperatorError("DATABASE_URL is not set; name the home with --home, or set it.")
    upgrade_schema(url)
    typer.echo("The database has the current schema.")


@app.command()
def hash_password() -> None:
    """Ask for a password, or read one line of standard input, and print its hash for ADMIN_PASSWORD_HASH."""
    from control_plane.home import UsageError  # noqa: PLC0415  see main
    from control_plane.passwords import hash_password as hashed  # noqa: PLC0415

    if sys.stdin.isatty():
        password = typer.prompt("Password", hide_input=True, confirmation_prompt=True)
    else:
        password = sys.stdin.readline().rstrip("\r\n")
    if not password.strip():
        raise UsageError("The password must not be empty.")
    typer.echo(hashed(password))


@key_app.command("rotate")
def rotate_key(
    home: HomeOption,
    algorithm: Annotated[str | None, typer.Option(help="HS256 or EdDSA; that of the key in front if left out.")] = None,
    keep: Annotated[int | None, typer.Option(help="How many older keys stay; all of them if left out.")] = None,
    *,
    standby: Annotated[bool, typer.Option("--standby", help="Let the key be learned first; do not sign yet.")] = False,
    promote: Annotated[bool, typer.Option("--promote", help="Make no key: sign with the one on standby.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Sign with a fresh key from now on, without a restart. Older keys go on verifying until --keep drops them."""
    from control_plane import key_file  # noqa: PLC0415  see main
    from control_plane.home import UsageError  # noqa: PLC0415

    if algorithm not in {None, *key_file.Algorithm}:
        raise UsageError("--algorithm is HS256 or EdDSA.")
    if promote and (standby or algorithm):
        raise UsageError("--promote makes no key: it goes with neither --standby nor --algorithm.")
    step = key_file.Step.STANDBY if standby else key_file.Step.PROMOTE if promote else key_file.Step.AT_ONCE
    done = key_file.rotate(home, key_file.Algorithm(algorithm) if algorithm else None, keep, step)
    if as_json:
        typer.echo(json.dumps(dataclasses.asdict(done), default=str))
        return
    verb = "is on standby" if standby else "signs"
    typer.echo(f"{done.file}: {done.kid} {verb}; {len(done.kept)} other keys go on verifying.")
    if done.dropped:
        typer.echo(f"Dropped {len(done.dropped)}: tokens that they have signed are refused now.")


@key_app.command("export-public")
def export_public_keys(home: HomeOption) -> None:
    """Print the public keys as a JWK set: the PLAYBACK_KEYS_FILE of an edge that verifies and cannot sign."""
    from control_plane.key_file import public_keys  # noqa: PLC0415  see main

    typer.echo(json.dumps(public_keys(home), indent=2))
