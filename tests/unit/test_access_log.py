"""The access log: its destination and its size limit."""

from pathlib import Path

import pytest

from control_plane.errors import OperatorError
from control_plane.ops.access_log import AccessLog
from control_plane.ops.up_settings import KEPT_LOG_FILES, LogDestination, UpSettings

MEGABYTE = 1_000_000


def open_log(folder: Path, **settings: str) -> AccessLog:
    return AccessLog.of(UpSettings.read(settings), folder)


@pytest.fixture
def log(tmp_path: Path) -> AccessLog:
    return open_log(tmp_path, ACCESS_LOG_MAX_SIZE_MB="4")


def names(log: AccessLog) -> list[str]:
    return sorted(file.name for file in log.file.parent.iterdir())


def test_a_file_below_its_share_is_not_rotated(log: AccessLog) -> None:
    assert not log.rotate()
    log.file.write_bytes(b"x" * (MEGABYTE - 1))
    assert not log.rotate()
    assert names(log) == ["access.jsonl"]


def test_all_files_together_stay_below_the_bound(log: AccessLog) -> None:
    for number in range(10):
        log.file.write_bytes(f"{number}".encode() * MEGABYTE)
        assert log.rotate()
        assert not log.file.exists()
    assert names(log) == ["access.jsonl.1", "access.jsonl.2", "access.jsonl.3"]
    assert len(names(log)) + 1 == KEPT_LOG_FILES
    newest, oldest = log.file.with_name("access.jsonl.1"), log.file.with_name("access.jsonl.3")
    assert (newest.read_bytes()[:1], oldest.read_bytes()[:1]) == (b"9", b"7")


def test_a_gap_between_old_files_is_harmless(log: AccessLog) -> None:
    log.file.write_bytes(b"x" * MEGABYTE)
    log.file.with_name("access.jsonl.3").write_text("old")
    assert log.rotate()
    assert names(log) == ["access.jsonl.1", "access.jsonl.3"]


@pytest.mark.parametrize("destination", ["stdout", "off"])
def test_only_files_are_renamed(tmp_path: Path, destination: str) -> None:
    log = open_log(tmp_path, ACCESS_LOG=destination, ACCESS_LOG_MAX_SIZE_MB="4")
    log.file.write_bytes(b"x" * 4 * MEGABYTE)
    assert not log.rotate()


@pytest.mark.parametrize(
    ("given", "directive"),
    [
        ({}, "access_log "),
        ({"ACCESS_LOG": ""}, "access_log "),
        ({"ACCESS_LOG": "file"}, "access_log "),
        ({"ACCESS_LOG": "stdout"}, "access_log /dev/stdout gate "),
        ({"ACCESS_LOG": "off"}, "access_log off;"),
    ],
)
def test_the_nginx_directive_names_the_destination(tmp_path: Path, given: dict[str, str], directive: str) -> None:
    told = open_log(tmp_path, **given).directive
    assert told.startswith(directive)
    assert (str(tmp_path / "access.jsonl") in told) is (given.get("ACCESS_LOG", "") in {"", LogDestination.FILE})


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("ACCESS_LOG", "/var/log/x"),
        ("ACCESS_LOG", "OFF"),
        *[("ACCESS_LOG_MAX_SIZE_MB", value) for value in ("0", "3", "-1", "1e3", "1.5", "99999999", "٤", "lots")],
    ],
)
def test_an_invalid_value_is_refused_with_the_name_of_the_setting(tmp_path: Path, setting: str, value: str) -> None:
    with pytest.raises(OperatorError, match=setting):
        open_log(tmp_path, **{setting: value})
