"""Tickets as CSV: reading an organiser's own codes, and telling of each bad line what is wrong with it.

Nothing here looks at a database, and no code stands in what is said about a line: its number does.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Literal, NamedTuple

from authz_sidecar.contract.playback_token import PREVIEW_SUB, READER_SUB
from control_plane.codes import LONGEST, SHORTEST, bare
from control_plane.errors import MalformedRequest
from control_plane.tickets import csv_headings, csv_text, guessable
from control_plane.tickets.csv_headings import Columns

MAX_BYTES: Final = 1024 * 1024
MAX_LINES: Final = 10_000
_LONGEST_LABEL: Final = 200
Doubtful = Literal["ask", "import", "skip"]


class CodeLine(NamedTuple):
    """A good line; `number` counts from 1, as editors and spreadsheets do."""

    number: int
    code: str
    label: str | None


class Problem(NamedTuple):
    """What is wrong with a line, or what is doubtful about it and may be answered with "import" or "skip"."""

    line: int
    sentence: str
    is_question: bool = False


@dataclass(frozen=True, slots=True)
class ParsedCodes:
    """What a file holds: each line is good or has a problem. A good one, or a possible heading, may be a question."""

    lines: list[CodeLine] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    questions: list[Problem] = field(default_factory=list)

    @property
    def total(self) -> int:
        return len(self.lines) + len(self.problems)

    def answered(self, doubtful: Doubtful) -> "ParsedCodes":
        """Leave no question open, unless they are to be asked."""
        if doubtful == "ask":
            return self
        skipped = {question.line for question in self.questions} if doubtful == "skip" else set()
        lines = [line for line in self.lines if line.number not in skipped]
        return replace(self, lines=lines, questions=[])


def read(body: bytes) -> ParsedCodes:
    """Read lines of `code` or `code,label`, with or without a heading, or what we export.

    Raise MalformedRequest for what is no such file.
    """
    reader = _CsvReader()
    for number, row in csv_text.rows(csv_text.decoded(body)):
        reader.take(number, row)
    if not reader.found.total:
        raise MalformedRequest("There is no code in this file.")
    return reader.found


class _CsvReader:
    """What is known after some lines."""

    def __init__(self) -> None:
        self.found = ParsedCodes()
        self._columns: Columns | None = None
        self._places: dict[str, int] = {}
        self._before: str | None = None

    def take(self, number: int, row: Sequence[str]) -> None:
        if self._columns is None:
            self._columns = csv_headings.read(row)
            if self._columns:
                return
            self._columns = Columns()
            if self._may_be_heading(number, row):
                return
        if self.found.total >= MAX_LINES:
            raise MalformedRequest(f"At most {MAX_LINES:,} codes can be imported at once.")
        self._read(number, row, self._columns)

    def _may_be_heading(self, number: int, row: Sequence[str]) -> bool:
        """Ask about a first line without a digit; tell whether it cannot be a code anyway."""
        if not row[0] or not guessable.is_word(row[0]):
            return False
        self.found.questions.append(Problem(number, guessable.HEADING, is_question=True))
        return not _is_code(bare(row[0]))

    def _read(self, number: int, row: Sequence[str], columns: Columns) -> None:
        code = bare(_cell(row, columns.code))
        label = csv_text.restored(_cell(row, columns.label)) or None
        if sentence := self._problem(code, label, len(row) - columns.width):
            self.found.problems.append(Problem(number, sentence))
            return
        is_asked = bool(self.found.questions) and self.found.questions[-1].line == number
        if not (columns.is_own or is_asked) and (sentence := guessable.question(code, self._before)):
            self.found.questions.append(Problem(number, sentence, is_question=True))
        self._places[code], self._before = number, code
        self.found.lines.append(CodeLine(number, code, label))

    def _problem(self, code: str, label: str | None, too_many: int) -> str | None:
        if too_many > 0:
            return "There are more columns than a code and a label, or than the heading has."
        if not _is_code(code):
            return "A code has 8 to 64 letters and digits, A to Z without accents."
        if code in self._places:
            return f"The same code is in line {self._places[code]}."
        if label and len(label) > _LONGEST_LABEL:
            return f"A label has at most {_LONGEST_LABEL} characters."
        return None


def _is_code(code: str) -> bool:
    return code.isascii() and SHORTEST <= len(code) <= LONGEST and code not in {READER_SUB, PREVIEW_SUB}


def _cell(row: Sequence[str], place: int | None) -> str:
    return row[place] if place is not None and place < len(row) else ""
