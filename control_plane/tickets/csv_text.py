"""CSV as spreadsheets write and read it, with nothing in it that they would execute."""

import codecs
import csv
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from io import StringIO
from typing import Final

from control_plane.errors import MalformedRequest

MARK: Final = "\ufeff"  # without it Excel does not recognise UTF-8
_SEPARATORS: Final = ",;\t|"
# At the start, and after anything that a spreadsheet of another locale takes for a separator.
_FORMULA: Final = re.compile(r"(^|[,;\t|\r\n])([ \u00a0]*)(?=[=+\-@＝＋－＠\t\r\n])")  # noqa: RUF001 - full width
_DEFUSED: Final = re.compile(r"(^|[,;\t|\r\n])([ \u00a0]*)'(?=[=+\-@＝＋－＠\t\r\n])")  # noqa: RUF001 - full width
_SEPARATOR_LINE: Final = re.compile(r'"?sep=([,;\t|])"?\r?\n?', re.IGNORECASE)
_FIRST_FIELD: Final = re.compile(r'(?:"(?:[^"]|"")*+"\s*+|[^",;\t|]*+)([,;\t|])')  # possessive: it never backtracks
_ENCODINGS: Final = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
_DETECTION_BYTES: Final = 200  # bytes, to detect the encoding of a file without a byte order mark


def line(values: Iterable[object]) -> str:
    """Return one CSV line; None becomes an empty field."""
    buffer = StringIO()
    csv.writer(buffer).writerow(["" if value is None else defused(str(value)) for value in values])
    return buffer.getvalue()


def defused(text: str) -> str:
    """Return text that no spreadsheet runs as a formula (https://owasp.org/www-community/attacks/CSV_Injection)."""
    return _FORMULA.sub(r"\1\2'", text)


def restored(text: str) -> str:
    """Return the original of a text that was defused."""
    return _DEFUSED.sub(r"\1\2", text)


def decoded(body: bytes) -> str:
    """Return the text of a file in UTF-8 or UTF-16, with or without a byte order mark. Raise MalformedRequest."""
    encoding = next((name for mark, name in _ENCODINGS.items() if body.startswith(mark)), None) or _guess_encoding(body)
    try:
        text = body.decode(encoding)
    except UnicodeDecodeError:
        raise MalformedRequest("This file is not text in UTF-8 or UTF-16. Save it as CSV in UTF-8.") from None
    if "\0" in text:
        raise MalformedRequest("This file is not text.")
    return text


def _guess_encoding(body: bytes) -> str:
    """Return UTF-16 if many bytes at even or at odd positions are zero, as in the letters of codes, else UTF-8."""
    start = body[:_DETECTION_BYTES]
    even, odd = start[::2].count(0), start[1::2].count(0)
    if max(even, odd) * 4 < len(start):
        return "utf-8"
    return "utf-16-le" if odd > even else "utf-16-be"


def rows(text: str) -> Iterator[tuple[int, Sequence[str]]]:
    """Yield the number of each non-empty line, and its fields without trailing empty ones.

    Raise MalformedRequest for misplaced quotation marks.
    """
    prefix = _SEPARATOR_LINE.match(text)
    skipped = 1 if prefix else 0
    rest = text[prefix.end() :] if prefix else text
    reader = csv.reader(StringIO(rest, newline=""), delimiter=prefix[1] if prefix else _separator(rest), strict=True)
    try:
        for fields in reader:
            row = [each.strip() for each in fields]
            while row and not row[-1]:
                row.pop()
            if row:
                yield reader.line_num + skipped, row
    except csv.Error:
        number = reader.line_num + skipped
        raise MalformedRequest(f"Line {number} is not CSV: a quotation mark is in the wrong place.") from None


def _separator(text: str) -> str:
    """Return the separator that follows the first field of most lines."""
    separators = Counter(found[1] for each in text.splitlines() if (found := _FIRST_FIELD.match(each.lstrip(" "))))
    return separators.most_common(1)[0][0] if separators else ","
