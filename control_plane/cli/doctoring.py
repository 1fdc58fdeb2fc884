"""The command `doctor`."""

import dataclasses
from functools import partial

import anyio
import typer

from control_plane.cli.options import HomeOption, JsonOption, print_json
from control_plane.clock import utc_now
from control_plane.ops.doctor import Installation, Level, examine, worst
from control_plane.ops.home import read_environment

app = typer.Typer()


@app.command()
def doctor(home: HomeOption, *, as_json: JsonOption = False) -> None:
    """Find problems and explain how to fix them. Changes nothing; the exit code is 1 if there is an error."""
    installation = Installation(read_environment(home), home.absolute())
    findings = anyio.run(partial(examine, installation, utc_now()))
    if as_json:
        print_json({"data": [dataclasses.asdict(finding) for finding in findings]})
    else:
        for finding in findings:
            typer.echo(f"{finding.level:<8}{finding.about}: {finding.what}")
            if finding.fix:
                typer.echo(f"{'':<8}-> {finding.fix}")
    raise typer.Exit(1 if worst(findings) is Level.ERROR else 0)
