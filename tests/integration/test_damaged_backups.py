"""Incomplete or incompatible backup files: refused with one sentence, and nothing is lost."""

import gzip
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from control_plane.errors import OperatorError
from control_plane.ops.backups import backup, backup_file
from tests.support.clients.api import SEALER
from tests.support.data.backups import Lines, append_change, lines_of, write_lines
from tests.support.data.rows import ROWS, contents, fill

pytestmark = pytest.mark.anyio
NOW = datetime(2027, 1, 16, tzinfo=UTC)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "streamgate.backup"


def rewrite(file: Path, change: Callable[[bytes], bytes]) -> None:
    file.write_bytes(change(file.read_bytes()))


def truncated(raw: bytes) -> bytes:
    return raw[: len(raw) // 2]


def without_its_last_byte(raw: bytes) -> bytes:
    return raw[:-1]


def one_bit_flipped(raw: bytes) -> bytes:
    middle = len(raw) // 2
    return raw[:middle] + bytes([raw[middle] ^ 1]) + raw[middle + 1 :]


def replaced_by(raw: bytes) -> Callable[[bytes], bytes]:
    return lambda _old: raw


FOREIGN = [
    truncated,
    without_its_last_byte,
    one_bit_flipped,
    *map(
        replaced_by,
        [
            b"",
            b"SQLite format 3\0",
            gzip.compress(b""),
            gzip.compress(b"\xff\xfe\n"),
            gzip.compress(b'{"some": "log"}\n{"other": "line"}\n'),
            gzip.compress(b"[" * 100_000 + b"\n"),
            gzip.compress(b'{"streamgate_backup": 1, "schema": "0003", "created_at": "2027-01-15T12:00:00+00:00"}\n'),
        ],
    ),
]


@pytest.mark.parametrize("damage", FOREIGN)
async def test_an_incomplete_backup_is_refused_and_nothing_is_lost(
    sqlite_url: str, file: Path, damage: Callable[[bytes], bytes]
) -> None:
    await fill(sqlite_url)
    await backup.dump(sqlite_url, file, None, NOW)
    rewrite(file, damage)
    before = await contents(sqlite_url)
    with pytest.raises(OperatorError, match="is not a StreamGate backup, or is damaged; nothing was changed"):
        backup_file.check(file)
    with pytest.raises(OperatorError, match="is not a StreamGate backup, or is damaged; nothing was changed"):
        await backup.restore(sqlite_url, file, SEALER, force=True)
    assert await contents(sqlite_url) == before


def newer_format(lines: Lines) -> None:
    lines[0]["streamgate_backup"] = 2


def newer_schema(lines: Lines) -> None:
    lines[0]["schema"] = "9999"


def without_a_row(lines: Lines) -> None:
    del lines[-2]


def without_a_table(lines: Lines) -> None:
    first = next(place for place, line in enumerate(lines) if "table" in line and line["table"] == "audit_entry")
    del lines[first : first + 1 + ROWS]
    del lines[-1]["rows"]["audit_entry"]


def with_a_foreign_table(lines: Lines) -> None:
    lines[-1:-1] = [{"table": "alembic_version", "columns": ["version_num"]}]
    lines[-1]["rows"]["alembic_version"] = 0


def with_another_column(lines: Lines) -> None:
    next(line for line in lines if "table" in line and line["table"] == "ticket")["columns"][0] = "kennung"


def with_the_same_ticket_twice(lines: Lines) -> None:
    first = next(place for place, line in enumerate(lines) if "table" in line and line["table"] == "ticket")
    lines[first + 2] = lines[first + 1]


def with_a_time_that_is_none(lines: Lines) -> None:
    first = next(place for place, line in enumerate(lines) if "table" in line and line["table"] == "event")
    lines[first + 1][lines[first]["columns"].index("starts_at")] = "tomorrow"


def with_value(table: str, column: str, value: object) -> Callable[[Lines], None]:
    """Put an invalid value into the first row of a table."""

    def change(lines: Lines) -> None:
        first = next(place for place, line in enumerate(lines) if "table" in line and line["table"] == table)
        lines[first + 1][lines[first]["columns"].index(column)] = value

    change.__name__ = f"{table}.{column}={value!r:.20}"
    return change


def with_counter(value: object) -> Callable[[Lines], None]:
    def change(lines: Lines) -> None:
        lines[-1]["counters"]["revocation_change"] = value

    change.__name__ = f"counter={value!r:.20}"
    return change


def without_an_epoch(lines: Lines) -> None:
    first = next(place for place, line in enumerate(lines) if "table" in line and line["table"] == "feed_epoch")
    del lines[first + 1]
    lines[-1]["rows"]["feed_epoch"] = 0


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (newer_format, "newer StreamGate"),
        (newer_schema, "newer StreamGate"),
        (without_a_row, "damaged"),
        (without_a_table, "damaged"),
        (with_a_foreign_table, "damaged"),
        (with_another_column, "damaged"),
        (with_the_same_ticket_twice, "refuses what the backup has for ticket"),
        (with_a_time_that_is_none, "damaged"),
        (without_an_epoch, "damaged"),
        (with_value("event", "max_devices", 10**30), "damaged|refuses what the backup has for event"),
        (with_value("event", "max_devices", 10**4299), "damaged|refuses what the backup has for event"),
        (with_value("event", "max_devices", float("inf")), "damaged"),
        (with_value("edge", "lag", float("nan")), "damaged"),
        (with_value("edge", "lag", float("-inf")), "damaged"),
        (with_value("event", "title", "half \ud800 a pair"), "damaged"),
        (with_value("ticket", "code", "\udfff"), "damaged"),
        (with_counter(10**30), "damaged|refuses|cannot be used"),
        (with_counter(float("inf")), "damaged"),
        (with_counter("many"), "damaged"),
    ],
)
async def test_an_incompatible_backup_is_refused_in_one_sentence_and_nothing_is_lost(
    database_url: str, file: Path, change: Callable[[Lines], None], sentence: str
) -> None:
    await fill(database_url)
    await backup.dump(database_url, file, None, NOW)
    number = await append_change(database_url, "later")
    before = await contents(database_url)
    lines = lines_of(file)
    change(lines)
    write_lines(file, lines)
    with pytest.raises(OperatorError, match=sentence) as refusal:
        await backup.restore(database_url, file, SEALER, force=True)
    assert "0 code" not in str(refusal.value)
    assert await contents(database_url) == before
    assert await append_change(database_url, "after") == number + 1
