"""Tickets as CSV: parsing an organiser's own codes, and reporting what is wrong with each invalid line.

Nothing here uses a database. A message about a line names it by its number and never contains the code.
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
    """A valid line; `number` counts from 1, as editors and spreadsheets do."""

    number: int
    code: str
    label: str | None


class Problem(NamedTuple):
    """What is wrong with a line, or a question: what is doubtful about it, to be answered with "import" or "skip"."""

    line: int
    sentence: str
    is_question: bool = False


@dataclass(frozen=True, slots=True)
class ParsedCodes:
    """A file's content. Each line is valid or has a problem; valid lines and possible headings may have questions."""

    lines: list[CodeLine] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    questions: list[Problem] = field(default_factory=list)

    @property
    def total(self) -> int:
        return len(self.lines) + len(self.problems)

    def answered(self, doubtful: Doubtful) -> "ParsedCodes":
        """Return the codes with all questions answered, unless they are to be asked."""
        if doubtful == "ask":
            return self
        skipped = {question.line for question in self.questions} if doubtful == "skip" else set()
        lines = [line for line in self.lines if line.number not in skipped]
        return replace(self, lines=lines, questions=[])


def read(body: bytes) -> ParsedCodes:
    """Parse lines of `code` or `code,label`, with or without a heading, or a file that we exported.

    Raise MalformedRequest for any other file.
    """
    reader = _CsvReader()
    for number, row in csv_text.rows(csv_text.decoded(body)):
        reader.add(number, row)
    if not reader.parsed.total:
        raise MalformedRequest("There is no code in this file.")
    return reader.parsed


class _CsvReader:
    """The state after parsing some of the lines."""

    def __init__(self) -> None:
        self.parsed = ParsedCodes()
        self._columns: Columns | None = None
        self._line_of_code: dict[str, int] = {}
        self._previous: str | None = None

    def add(self, number: int, row: Sequence[str]) -> None:
        if self._columns is None:
            self._columns = csv_headings.read(row)
            if self._columns:
                return
            self._columns = Columns()
            if self._may_be_heading(number, row):
                return
        if self.parsed.total >= MAX_LINES:
            raise MalformedRequest(f"At most {MAX_LINES:,} codes can be imported at once.")
        self._add_row(number, row, self._columns)

    def _may_be_heading(self, number: int, row: Sequence[str]) -> bool:
        """Question a first line without a digit; return whether it cannot be a code in any case."""
        if not row[0] or not guessable.is_word(row[0]):
            return False
        self.parsed.questions.append(Problem(number, guessable.HEADING, is_question=True))
        return not _is_code(bare(row[0]))

    def _add_row(self, number: int, row: Sequence[str], columns: Columns) -> None:
        code = bare(_cell(row, columns.code))
        label = csv_text.restored(_cell(row, columns.label)) or None
        if sentence := self._problem(code, label, len(row) - columns.width):
            self.parsed.problems.append(Problem(number, sentence))
            return
        has_question = bool(self.parsed.questions) and self.parsed.questions[-1].line == number
        if not (columns.is_own or has_question) and (sentence := guessable.question(code, self._previous)):
            self.parsed.questions.append(Problem(number, sentence, is_question=True))
        self._line_of_code[code], self._previous = number, code
        self.parsed.lines.append(CodeLine(number, code, label))

    def _problem(self, code: str, label: str | None, too_many: int) -> str | None:
        if too_many > 0:
            return "This line has more columns than the heading, or more than a code and a label."
        if not _is_code(code):
            return "A code has 8 to 64 letters and digits, A to Z without accents."
        if code in self._line_of_code:
            return f"The same code is in line {self._line_of_code[code]}."
        if label and len(label) > _LONGEST_LABEL:
            return f"A label has at most {_LONGEST_LABEL} characters."
        return None


def _is_code(code: str) -> bool:
    return code.isascii() and SHORTEST <= len(code) <= LONGEST and code not in {READER_SUB, PREVIEW_SUB}


def _cell(row: Sequence[str], index: int | None) -> str:
    return row[index] if index is not None and index < len(row) else ""
