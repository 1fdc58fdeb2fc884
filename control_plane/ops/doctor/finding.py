"""The result of a check: its severity, what was found, and how to fix it. A finding never contains a secret."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from control_plane.errors import OperatorError
from control_plane.ops.home_database import database_url, sqlite_file


class Level(StrEnum):
    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Finding:
    """`about` is the subject of the check, `fix` one sentence if there is something to fix."""

    level: Level
    about: str
    what: str
    fix: str = ""


@dataclass(frozen=True, slots=True)
class Installation:
    """The installation to check: its effective settings, and its home (an absolute path)."""

    environment: Mapping[str, str] = field(repr=False)
    home: Path
    watch_seconds: float = 5.0  # how long playlists are watched while their encoder writes them

    @property
    def database_file(self) -> Path | None:
        """SQLite's file; None for PostgreSQL, and for an invalid URL, which is reported with the settings."""
        try:
            return sqlite_file(database_url(self.environment))
        except OperatorError:
            return None


def ok(about: str, what: str) -> Finding:
    return Finding(Level.OK, about, what)


def warning(about: str, what: str, fix: str) -> Finding:
    return Finding(Level.WARNING, about, what, fix)


def error(about: str, what: str, fix: str) -> Finding:
    return Finding(Level.ERROR, about, what, fix)
