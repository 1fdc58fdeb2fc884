"""CSV as spreadsheets read it, and nothing in it that they would run."""

import csv
from collections.abc import Iterable
from io import StringIO
from typing import Final

_STARTS_OF_FORMULAS: Final = ("=", "+", "-", "@", "\t", "\r", "\n")


def line(values: Iterable[object]) -> str:
    """Write one line; None is an empty field."""
    written = StringIO()
    csv.writer(written).writerow(["" if value is None else defused(str(value)) for value in values])
    return written.getvalue()


def defused(text: str) -> str:
    """Return a text that no spreadsheet takes for a formula (https://owasp.org/www-community/attacks/CSV_Injection)."""
    return f"'{text}" if text.startswith(_STARTS_OF_FORMULAS) else text
