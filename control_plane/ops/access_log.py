"""nginx's access log: its destination, and the rotation that keeps it from filling the disk.

A thousand viewers write about a gigabyte an hour. When the file exceeds its share it is renamed and nginx is signalled
to open a new one (SIGUSR1); no line is lost, and only a fixed number of old files is kept.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from control_plane.errors import OperatorError
from control_plane.ops.nginx_words import quoted

KEPT_FILES: Final = 4  # the current one and three older ones
DEFAULT_MEGABYTES: Final = 1024
_LARGEST_MEGABYTES: Final = 1_000_000
_MEGABYTE: Final = 1_000_000


class LogDestination(StrEnum):
    FILE = "file"
    STDOUT = "stdout"
    OFF = "off"


@dataclass(frozen=True, slots=True)
class AccessLog:
    """`megabytes` limits all its files together; a few seconds of writing may exceed it."""

    destination: LogDestination
    file: Path
    megabytes: int = DEFAULT_MEGABYTES

    @classmethod
    def read(cls, environment: Mapping[str, str], folder: Path) -> "AccessLog":
        """Raise OperatorError if ACCESS_LOG or ACCESS_LOG_MAX_SIZE_MB is invalid."""
        return cls(_destination(environment), folder / "access.jsonl", _megabytes(environment))

    @property
    def directive(self) -> str:
        """Return nginx's directive. Writes of at most 4 KiB to a pipe are atomic (pipe(7))."""
        match self.destination:
            case LogDestination.OFF:
                return "access_log off;"
            case LogDestination.STDOUT:
                return "access_log /dev/stdout gate buffer=4k flush=1s;"
            case LogDestination.FILE:
                return f"access_log {quoted(self.file)} gate buffer=64k flush=1s;"

    def rotate(self) -> bool:
        """Shift the files by one if the current one is full. Return whether nginx must reopen it. Raise OSError."""
        if self.destination is not LogDestination.FILE or not self._is_full():
            return False
        for number in range(KEPT_FILES - 1, 0, -1):
            newer = self._numbered_file(number - 1)
            if newer.exists():
                newer.replace(self._numbered_file(number))
        return True

    def _is_full(self) -> bool:
        try:
            return self.file.stat().st_size >= self.megabytes * _MEGABYTE // KEPT_FILES
        except FileNotFoundError:
            return False

    def _numbered_file(self, number: int) -> Path:
        return self.file.with_name(f"{self.file.name}.{number}") if number else self.file


def _destination(environment: Mapping[str, str]) -> LogDestination:
    try:
        return LogDestination(environment.get("ACCESS_LOG") or LogDestination.FILE)
    except ValueError:
        raise OperatorError(f"ACCESS_LOG must be one of {', '.join(LogDestination)}.") from None


def _megabytes(environment: Mapping[str, str]) -> int:
    text = environment.get("ACCESS_LOG_MAX_SIZE_MB") or str(DEFAULT_MEGABYTES)
    if not re.fullmatch(r"[0-9]{1,7}", text) or not KEPT_FILES <= int(text) <= _LARGEST_MEGABYTES:
        raise OperatorError(f"ACCESS_LOG_MAX_SIZE_MB must be a whole number from {KEPT_FILES} to {_LARGEST_MEGABYTES}.")
    return int(text)
