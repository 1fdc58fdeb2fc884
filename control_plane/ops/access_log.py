"""nginx's access log: its destination, and the rotation that keeps it from filling the disk.

A thousand viewers write about a gigabyte an hour. When the file exceeds its share it is renamed and nginx is signalled
to open a new one (SIGUSR1); no line is lost, and only a fixed number of old files is kept.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from control_plane.ops.nginx_words import quoted
from control_plane.ops.up_settings import KEPT_LOG_FILES, LogDestination, UpSettings

_MEGABYTE: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class AccessLog:
    """`megabytes` limits all its files together; a few seconds of writing may exceed it."""

    destination: LogDestination
    file: Path
    megabytes: int

    @classmethod
    def of(cls, settings: UpSettings, folder: Path) -> "AccessLog":
        return cls(settings.access_log, folder / "access.jsonl", settings.access_log_max_size_mb)

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
        for number in range(KEPT_LOG_FILES - 1, 0, -1):
            newer = self._numbered_file(number - 1)
            if newer.exists():
                newer.replace(self._numbered_file(number))
        return True

    def _is_full(self) -> bool:
        try:
            return self.file.stat().st_size >= self.megabytes * _MEGABYTE // KEPT_LOG_FILES
        except FileNotFoundError:
            return False

    def _numbered_file(self, number: int) -> Path:
        return self.file.with_name(f"{self.file.name}.{number}") if number else self.file
