"""The command line: it reports results in sentences, and never shows a secret unless asked to."""

import sys

try:
    import typer

    from control_plane.cli.lazy_group import LazyGroup
except ImportError as missing:
    raise SystemExit("The control plane is not installed: pip install 'streamgate[control-plane]'.") from missing

app = typer.Typer(
    cls=LazyGroup,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
)


def main() -> None:
    try:
        from control_plane.db.database import DatabaseUnusable  # noqa: PLC0415  the extra may be missing
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
