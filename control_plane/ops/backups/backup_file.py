"""The format of a backup file: gzipped JSON lines, the same for every database, written and read a line at a time.

A header comes first, then optionally the settings, then each table with its rows, and last a trailer with the number of
rows: a file that is truncated, damaged or not a backup is never accepted. Error messages never quote its contents.

    {"streamgate_backup": 1, "schema": "0003", "created_at": "2027-01-15T12:00:00+00:00"}
    {"settings": {"home": "/srv/streamgate", "env": "...", "keys": null}}
    {"table": "event", "columns": ["id", "title"]}
    ["3f2b8c1e-...", "Concert"]
    {"rows": {"event": 1}, "counters": {"revocation_change": 184}}
"""

import json
import math
import os
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import datetime
from gzip import BadGzipFile, GzipFile
from pathlib import Path
from typing import Any, Final

from authz_sidecar.contract.whole_files import replacing
from control_plane.errors import OperatorError

FORMAT: Final = 1
_MARK: Final = "streamgate_backup"
_LONGEST_LINE: Final = 8 * 1024 * 1024
_COMPRESSION: Final = 6
_NOT_A_BACKUP: Final = "is not a StreamGate backup, or is damaged; nothing was changed."
_NEWER: Final = "was made by a newer StreamGate and needs it to be restored; nothing was changed."

_DAMAGES: Final = (ValueError, LookupError, TypeError, AttributeError, OverflowError, RecursionError)

Row = Sequence[Any]


@dataclass(frozen=True, slots=True)
class BackupHeader:
    """`schema` is the migration revision of the tables in the backup."""

    schema: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class SavedSettings:
    """The settings file and the key file of an installation, and the home folder that their paths refer to."""

    home: str
    env: str = field(repr=False)
    keys: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class SavedTable:
    """One table; its rows are read from the file lazily."""

    name: str
    columns: tuple[str, ...]
    rows: Iterator[Row] = field(repr=False)


@dataclass(frozen=True, slots=True)
class BackupTrailer:
    """Rows per table, and the last number that each counter gave out, whether or not its row still exists."""

    rows: dict[str, int]
    counters: dict[str, int]


@dataclass(frozen=True, slots=True)
class BackupContents:
    """The contents of a backup file, without its rows."""

    heading: BackupHeader
    ending: BackupTrailer
    settings: SavedSettings | None


class DamagedBackupError(ValueError):
    """The file does not have the format of a backup."""


class NewerBackupError(Exception):
    """The backup was made by a newer version of StreamGate."""


class Writer:
    def __init__(self, file: GzipFile) -> None:
        self._file = file
        self._counts: dict[str, int] = {}

    def begin(self, heading: BackupHeader, settings: SavedSettings | None) -> None:
        self._write({_MARK: FORMAT, "schema": heading.schema, "created_at": heading.created_at.isoformat()})
        if settings:
            self._write({"settings": asdict(settings)})

    def table(self, name: str, columns: Sequence[str], rows: Iterable[Row]) -> None:
        self._write({"table": name, "columns": list(columns)})
        count = 0
        for row in rows:
            self._write(row)
            count += 1
        self._counts[name] = count

    def end(self, counters: dict[str, int]) -> BackupTrailer:
        self._write({"rows": self._counts, "counters": counters})
        return BackupTrailer(self._counts, counters)

    def _write(self, value: object) -> None:
        line = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
        self._file.write(line.encode() + b"\n")


class BackupReader:
    """Reads a backup once, in order. Every method may raise DamagedBackupError; use it only within `reading`."""

    def __init__(self, file: GzipFile) -> None:
        self._file = file
        self._next_line: Any = None
        self._rows: dict[str, int] = {}
        self._advance()

    def heading(self) -> BackupHeader:
        """Return the header. Raise NewerBackupError if the format is newer than this program."""
        line = self._take()
        if not isinstance(line, dict) or not isinstance(line.get(_MARK), int):
            raise DamagedBackupError("no heading")
        if line[_MARK] > FORMAT:
            raise NewerBackupError
        return BackupHeader(_text(line["schema"]), datetime.fromisoformat(_text(line["created_at"])))

    def settings(self) -> SavedSettings | None:
        if not isinstance(self._next_line, dict) or "settings" not in self._next_line:
            return None
        saved = self._take()["settings"]
        keys = saved["keys"]
        return SavedSettings(_text(saved["home"]), _text(saved["env"]), None if keys is None else _text(keys))

    def tables(self) -> Iterator[SavedTable]:
        """Yield each table; consume all rows of one before taking the next."""
        while isinstance(self._next_line, dict) and "table" in self._next_line:
            line = self._take()
            name, columns = _text(line["table"]), tuple(_text(column) for column in line["columns"])
            if name in self._rows:
                raise DamagedBackupError("a table comes twice")
            self._rows[name] = 0
            yield SavedTable(name, columns, self._rows_in(name, len(columns)))

    def ending(self) -> BackupTrailer:
        line = self._take()
        if self._next_line is not None or line["rows"] != self._rows:
            raise DamagedBackupError("the ending does not fit")
        return BackupTrailer(line["rows"], {_text(name): int(value) for name, value in line["counters"].items()})

    def _rows_in(self, name: str, width: int) -> Iterator[Row]:
        while isinstance(self._next_line, list):
            row = self._take()
            if len(row) != width:
                raise DamagedBackupError("a row does not fit its table")
            self._rows[name] += 1
            yield row

    def _take(self) -> Any:
        if self._next_line is None:
            raise DamagedBackupError("it ends too early")
        taken = self._next_line
        self._advance()
        return taken

    def _advance(self) -> None:
        line = self._file.readline(_LONGEST_LINE)
        if line and not line.endswith(b"\n"):
            raise DamagedBackupError("a line does not end")
        self._next_line = _parsed(line) if line else None


@contextmanager
def writing(file: Path) -> Iterator[Writer]:
    """Write to a temporary file (mode 600) and rename it when it is complete. Raise OperatorError."""
    if os.path.lexists(file):
        raise OperatorError(f"{file} exists already and is not overwritten.")
    try:
        # Not exclusive: file systems used for backups often have no hard links.
        with (
            replacing(file) as raw,
            GzipFile(fileobj=raw, mode="wb", filename="", compresslevel=_COMPRESSION) as compressed,
        ):
            yield Writer(compressed)
    except OSError as error:
        raise OperatorError(f"{file} cannot be written: {error.strerror}.") from error


@contextmanager
def reading(file: Path) -> Iterator[BackupReader]:
    """Open a backup. Raise OperatorError, also if the file turns out to be damaged while it is read."""
    try:
        with GzipFile(file, "rb") as decompressed:
            yield BackupReader(decompressed)
    except NewerBackupError:
        raise OperatorError(f"{file} {_NEWER}") from None
    except (EOFError, zlib.error, BadGzipFile, *_DAMAGES):
        raise OperatorError(f"{file} {_NOT_A_BACKUP}") from None
    except OSError as error:
        raise OperatorError(f"{file} cannot be read: {error.strerror}.") from error


def check(file: Path) -> BackupContents:
    """Read the whole file. Raise OperatorError unless it is a complete backup."""
    with reading(file) as reader:
        heading, settings = reader.heading(), reader.settings()
        for table in reader.tables():
            for _ in table.rows:
                pass
        return BackupContents(heading, reader.ending(), settings)


def _parsed(line: bytes) -> Any:
    """Parse a line. Reject values that no database could hold: NaN, Infinity, lone surrogates."""
    value = json.loads(line, parse_constant=_reject_number, parse_float=_finite)
    if b"\\ud" in line.lower():
        json.dumps(value, ensure_ascii=False).encode()  # raises UnicodeEncodeError, a ValueError, for a lone surrogate
    return value


def _reject_number(name: str) -> float:
    raise DamagedBackupError(f"{name} is not a number")


def _finite(text: str) -> float:
    value = float(text)
    return value if math.isfinite(value) else _reject_number("a number too large")


def _text(value: object) -> str:
    if not isinstance(value, str) or "\0" in value:
        raise DamagedBackupError("no text")
    return value
