"""Collect missed targets: a benchmark that misses one reports it and exits with an error."""

import sys
from collections.abc import Callable

_missed: list[str] = []


def verdict(what: str, *, reached: bool) -> str:
    """Return the word for the table, and record a missed target."""
    if not reached:
        _missed.append(what)
    return "reached" if reached else "MISSED"


def run(*benchmarks: Callable[[], None]) -> None:
    """Run all benchmarks; exit with 1 if a target was missed."""
    for benchmark in benchmarks:
        benchmark()
    if _missed:
        sys.exit(f"MISSED: {'; '.join(_missed)}")
