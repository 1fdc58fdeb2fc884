"""Options shared by several commands, and functions that print results."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from control_plane.web.answers import Pagination

HomeOption = Annotated[Path, typer.Option(help="The folder of settings, database and logs.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
PageOption = Annotated[int, typer.Option(help="Which page, from 1.")]
LimitOption = Annotated[int, typer.Option(help="How many rows a page has, at most 200.")]


def print_json(value: Any) -> None:
    """Print a view of the API, or any JSON value; paths and times are printed as text."""
    plain = value.model_dump(mode="json", by_alias=True) if hasattr(value, "model_dump") else value
    typer.echo(json.dumps(plain, indent=2, ensure_ascii=False, default=str))


def print_page(headings: Sequence[str], rows: Sequence[Sequence[object]], pagination: Pagination) -> None:
    """Print a table, and how to see more if it is not the last page."""
    print_table(headings, rows)
    if pagination.page < pagination.total_pages:
        typer.echo(f"{len(rows)} of {pagination.total}; --page {pagination.page + 1} shows more.")


def print_table(headings: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print columns as wide as their widest cell; without rows, print the headings only."""
    lines = [[_cell(value) for value in row] for row in (headings, *rows)]
    widths = [max(map(len, cells)) for cells in zip(*lines, strict=True)]
    for line in lines:
        typer.echo("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def minute(time: datetime) -> str:
    return f"{time.astimezone(UTC):%Y-%m-%d %H:%M}"


def _cell(value: object) -> str:
    """Return a value as text without control characters: titles and labels must not control the terminal."""
    text = ("no", "yes")[value] if isinstance(value, bool) else str(value)
    return "".join(character if character.isprintable() else " " for character in text)
