"""CSV as spreadsheets write and read it, and nothing in it that they would run."""

import codecs
import csv
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from io import StringIO
from typing import Final

from control_plane.errors import MalformedRequest

MARK: Final = "\ufeff"  # without it Excel takes UTF-8 for something else
_SEPARATORS: Final = ",;\t|"
# At the start, and after whatever another country's spreadsheet takes for a separator.
_FORMULA: Final = re.compile(r"(^|[,;\t|\r\n])([ \u00a0]*)(?=[=+\-@＝＋－＠\t\r\n])")  # noqa: RUF001 - full width
_DEFUSED: Final = re.compile(r"(^|[,;\t|\r\n])([ \u00a0]*)'(?=[=+\-@＝＋－＠\t\r\n])")  # noqa: RUF001 - full width
_NAMED: Final = re.compile(r'"?sep=([,;\t|])"?\r?\n?', re.IGNORECASE)
_FIRST: Final = re.compile(r'(?:"(?:[^"]|"")*+"\s*+|[^",;\t|]*+)([,;\t|])')  # possessive: it never looks twice
_ENCODINGS: Final = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
_LOOKED_AT: Final = 200  # bytes, for a file that does not say how it is written


def line(values: Iterable[object]) -> str:
    """Write one line; None is an empty field."""
    written = StringIO()
    csv.writer(written).writerow(["" if value is None else defused(str(value)) for value in values])
    return written.getvalue()


def defused(text: str) -> str:
    """Return a text that no spreadsheet takes for a formula (https://owasp.org/www-community/attacks/CSV_Injection)."""
    return _FORMULA.sub(r"\1\2'", text)


def restored(text: str) -> str:
    """Return what was defused as it was."""
    return _DEFUSED.sub(r"\1\2", text)


def decoded(body: bytes) -> str:
    """Return the text of a file in UTF-8 or UTF-16, with or without a byte order mark. Raise MalformedRequest."""
    encoding = next((name for mark, name in _ENCODINGS.items() if body.startswith(mark)), None) or _guessed(body)
    try:
        text = body.decode(encoding)
    except UnicodeDecodeError:
        raise MalformedRequest("This file is not text in UTF-8 or UTF-16. Save it as CSV in UTF-8.") from None
    if "\0" in text:
        raise MalformedRequest("This file is not text.")
    return text


def _guessed(body: bytes) -> str:
    """Take every other byte being zero for UTF-16: that is how the letters of codes look in it."""
    start = body[:_LOOKED_AT]
    even, odd = start[::2].count(0), start[1::2].count(0)
    if max(even, odd) * 4 < len(start):
        return "utf-8"
    return "utf-16-le" if odd > even else "utf-16-be"


def rows(text: str) -> Iterator[tuple[int, Sequence[str]]]:
    """Give the number of each line that holds something, and its fields without empty ones at the end.

    Raise MalformedRequest where quotation marks do not fit.
    """
    named = _NAMED.match(text)
    skipped = 1 if named else 0
    rest = text[named.end() :] if named else text
    reader = csv.reader(StringIO(rest, newline=""), delimiter=named[1] if named else _separator(rest), strict=True)
    try:
        for fields in reader:
            row = [each.strip() for each in fields]
            while row and not row[-1]:
                row.pop()
            if row:
                yield reader.line_num + skipped, row
    except csv.Error:
        place = reader.line_num + skipped
        raise MalformedRequest(f"Line {place} is not CSV: a quotation mark is in the wrong place.") from None


def _separator(text: str) -> str:
    """Return what stands after the first field of most lines."""
    firsts = Counter(found[1] for each in text.splitlines() if (found := _FIRST.match(each.lstrip(" "))))
    return firsts.most_common(1)[0][0] if firsts else ","
