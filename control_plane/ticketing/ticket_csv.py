"""Tickets as CSV: reading an organiser's own codes, and telling of each bad line what is wrong with it.

Nothing here looks at a database, and no code stands in what is said about a line: its number does.
"""

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from io import StringIO
from typing import Final, NamedTuple

from authz_sidecar.contract.playback_token import READER_SUB
from control_plane.refusals import MalformedRequest

MAX_BYTES: Final = 1024 * 1024
MAX_LINES: Final = 10_000
_CODE: Final = re.compile(r"[0-9A-Za-z]{8,64}", re.ASCII)
_LONGEST_LABEL: Final = 200
_COLUMNS: Final = 2
_SEPARATORS: Final = ",;\t"
_HEADINGS: Final = (["code"], ["code", "label"])


class Line(NamedTuple):
    """A good line; `number` counts from 1, as editors and spreadsheets do."""

    number: int
    code: str
    label: str | None


class Problem(NamedTuple):
    line: int
    sentence: str


@dataclass(frozen=True, slots=True)
class Codes:
    """What a file holds: each line is good or has a problem."""

    lines: list[Line] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    @property
    def total(self) -> int:
        return len(self.lines) + len(self.problems)


def read(body: bytes) -> Codes:
    """Read lines of `code` or `code,label`, with or without a heading.

    Raise MalformedRequest for what is no such file.
    """
    rows = _rows(_text(body))
    found, places = Codes(), dict[str, int]()
    for number, row in rows:
        if len(found.lines) + len(found.problems) >= MAX_LINES:
            raise MalformedRequest(f"At most {MAX_LINES:,} codes are imported at once.")
        if sentence := _problem(row, places):
            found.problems.append(Problem(number, sentence))
        else:
            places[row[0]] = number
            found.lines.append(Line(number, row[0], (row[1] if len(row) == _COLUMNS else "") or None))
    if not found.total:
        raise MalformedRequest("There is no code in this file.")
    return found


def _text(body: bytes) -> str:
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise MalformedRequest("This file is not UTF-8 text. Save it as CSV in UTF-8.") from None
    if "\0" in text:
        raise MalformedRequest("This file is no text.")
    return text


def _rows(text: str) -> Iterator[tuple[int, Sequence[str]]]:
    """Give the number of each line that holds something, and its fields."""
    separator = next((each for each in _SEPARATORS if each in text.partition("\n")[0]), ",")
    reader = csv.reader(StringIO(text, newline=""), delimiter=separator, strict=True)
    try:
        for place, fields in enumerate(reader):
            row = [each.strip() for each in fields]
            is_heading = place == 0 and [each.lower() for each in row] in _HEADINGS
            if any(row) and not is_heading:
                yield reader.line_num, row
    except csv.Error:
        raise MalformedRequest(f"Line {reader.line_num} is no CSV: a quotation mark is in the wrong place.") from None


def _problem(row: Sequence[str], places: dict[str, int]) -> str | None:
    if len(row) > _COLUMNS:
        return "There are more than two columns; wanted are a code and a label."
    if not _CODE.fullmatch(row[0]) or row[0] == READER_SUB:
        return "A code has 8 to 64 letters and digits, A to Z without accents."
    if row[0] in places:
        return f"The same code is in line {places[row[0]]}."
    if len(row) == _COLUMNS and len(row[1]) > _LONGEST_LABEL:
        return f"A label has at most {_LONGEST_LABEL} characters."
    return None
