"""What was reached and what was missed: a benchmark that misses a target says so, and ends with an error."""

import sys
from collections.abc import Callable

_missed: list[str] = []


def verdict(what: str, *, reached: bool) -> str:
    """Give the word for the table, and remember what was missed."""
    if not reached:
        _missed.append(what)
    return "reached" if reached else "MISSED"


def run(*benchmarks: Callable[[], None]) -> None:
    """Run them all; then exit 1 where a target was missed."""
    for benchmark in benchmarks:
        benchmark()
    if _missed:
        sys.exit(f"MISSED: {'; '.join(_missed)}")
