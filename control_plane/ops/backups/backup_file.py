"""A backup as a file: gzipped lines of JSON, the same for every database, written and read a line at a time.

First what it is, then maybe the settings, then each table with its rows, last how many rows there were: a file that is
cut off, damaged or somebody else's is never taken for one. Nothing that stands in it may reach a message.

    {"streamgate_backup": 1, "schema": "0003", "created_at": "2027-01-15T12:00:00+00:00"}
    {"settings": {"home": "/srv/streamgate", "env": "...", "keys": null}}
    {"table": "event", "columns": ["id", "title"]}
    ["3f2b8c1e-...", "Concert"]
    {"rows": {"event": 1}, "counters": {"revocation_change": 184}}
"""

import json
import math
import os
import secrets
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import datetime
from gzip import BadGzipFile, GzipFile
from pathlib import Path
from typing import Any, Final

from control_plane.errors import OperatorError

FORMAT: Final = 1
_MARK: Final = "streamgate_backup"
_LONGEST_LINE: Final = 8 * 1024 * 1024
_COMPRESSION: Final = 6
_NOT_ONE: Final = "is no backup of StreamGate or is damaged; nothing was changed."
_NEWER: Final = "was made by a newer StreamGate and needs it to be restored; nothing was changed."

_DAMAGES: Final = (ValueError, LookupError, TypeError, AttributeError, OverflowError, RecursionError)

Row = Sequence[Any]


@dataclass(frozen=True, slots=True)
class BackupHeader:
    """`schema` is the revision that its tables have."""

    schema: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class SavedSettings:
    """What makes it the same installation: the settings file and the key file, and the home that their paths name."""

    home: str
    env: str = field(repr=False)
    keys: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class SavedTable:
    """One table; its rows are read from the file while they are asked for."""

    name: str
    columns: tuple[str, ...]
    rows: Iterator[Row] = field(repr=False)


@dataclass(frozen=True, slots=True)
class BackupTrailer:
    """How many rows each table has; counters are the last numbers that were given out, whatever was deleted since."""

    rows: dict[str, int]
    counters: dict[str, int]


@dataclass(frozen=True, slots=True)
class BackupContents:
    """What a whole file holds, without its rows."""

    heading: BackupHeader
    ending: BackupTrailer
    settings: SavedSettings | None


class DamagedBackupError(ValueError):
    """Something in the file is not what a backup has there."""


class NewerBackupError(Exception):
    """A program that is yet to come has made it."""


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


class Reader:
    """Reads once, from front to back. Every method raises DamagedBackupError; only use it within `reading`."""

    def __init__(self, file: GzipFile) -> None:
        self._file = file
        self._ahead: Any = None
        self._rows: dict[str, int] = {}
        self._next()

    def heading(self) -> BackupHeader:
        """Raise NewerBackupError for a format that is yet to come."""
        line = self._take()
        if not isinstance(line, dict) or not isinstance(line.get(_MARK), int):
            raise DamagedBackupError("no heading")
        if line[_MARK] > FORMAT:
            raise NewerBackupError
        return BackupHeader(_text(line["schema"]), datetime.fromisoformat(_text(line["created_at"])))

    def settings(self) -> SavedSettings | None:
        if not isinstance(self._ahead, dict) or "settings" not in self._ahead:
            return None
        saved = self._take()["settings"]
        keys = saved["keys"]
        return SavedSettings(_text(saved["home"]), _text(saved["env"]), None if keys is None else _text(keys))

    def tables(self) -> Iterator[SavedTable]:
        """Give table after table; take all rows of one before you ask for the next."""
        while isinstance(self._ahead, dict) and "table" in self._ahead:
            line = self._take()
            name, columns = _text(line["table"]), tuple(_text(column) for column in line["columns"])
            if name in self._rows:
                raise DamagedBackupError("a table comes twice")
            self._rows[name] = 0
            yield SavedTable(name, columns, self._rows_of(name, len(columns)))

    def ending(self) -> BackupTrailer:
        line = self._take()
        if self._ahead is not None or line["rows"] != self._rows:
            raise DamagedBackupError("the ending does not fit")
        return BackupTrailer(line["rows"], {_text(name): int(value) for name, value in line["counters"].items()})

    def _rows_of(self, name: str, width: int) -> Iterator[Row]:
        while isinstance(self._ahead, list):
            row = self._take()
            if len(row) != width:
                raise DamagedBackupError("a row does not fit its table")
            self._rows[name] += 1
            yield row

    def _take(self) -> Any:
        if self._ahead is None:
            raise DamagedBackupError("it ends too early")
        taken = self._ahead
        self._next()
        return taken

    def _next(self) -> None:
        line = self._file.readline(_LONGEST_LINE)
        if line and not line.endswith(b"\n"):
            raise DamagedBackupError("a line does not end")
        self._ahead = _parsed(line) if line else None


@contextmanager
def writing(file: Path) -> Iterator[Writer]:
    """Write aside, readable by its owner only; the file appears when it is whole. Raise OperatorError."""
    if os.path.lexists(file):
        raise OperatorError(f"{file} exists already and is not overwritten.")
    aside = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
    try:
        descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as raw:
                with GzipFile(fileobj=raw, mode="wb", filename="", compresslevel=_COMPRESSION) as packed:
                    yield Writer(packed)
                raw.flush()
                os.fsync(descriptor)
            aside.replace(file)  # no link: what backups are kept on often knows none
        finally:
            aside.unlink(missing_ok=True)
    except OSError as error:
        raise OperatorError(f"{file} cannot be written: {error.strerror}.") from error


@contextmanager
def reading(file: Path) -> Iterator[Reader]:
    """Open a backup. Raise OperatorError, also for what turns out to be wrong with it while it is read."""
    try:
        with GzipFile(file, "rb") as unpacked:
            yield Reader(unpacked)
    except NewerBackupError:
        raise OperatorError(f"{file} {_NEWER}") from None
    except (EOFError, zlib.error, BadGzipFile, *_DAMAGES):
        raise OperatorError(f"{file} {_NOT_ONE}") from None
    except OSError as error:
        raise OperatorError(f"{file} cannot be read: {error.strerror}.") from error


def check(file: Path) -> BackupContents:
    """Read all of it. Raise OperatorError for anything but a whole backup of ours."""
    with reading(file) as reader:
        heading, settings = reader.heading(), reader.settings()
        for table in reader.tables():
            for _ in table.rows:
                pass
        return BackupContents(heading, reader.ending(), settings)


def _parsed(line: bytes) -> Any:
    """Parse a line; what no database or file could hold is damage: NaN, Infinity, half a character."""
    value = json.loads(line, parse_constant=_no_number, parse_float=_finite)
    if b"\\ud" in line.lower():
        json.dumps(value, ensure_ascii=False).encode()  # raises UnicodeEncodeError, a ValueError, for half of a pair
    return value


def _no_number(name: str) -> float:
    raise DamagedBackupError(f"{name} is no number")


def _finite(text: str) -> float:
    value = float(text)
    return value if math.isfinite(value) else _no_number("a number too large")


def _text(value: object) -> str:
    if not isinstance(value, str) or "\0" in value:
        raise DamagedBackupError("no text")
    return value
