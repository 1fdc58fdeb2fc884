"""The result of a check: its severity, what was found, and how to fix it. A finding never contains a secret."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path


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
    """The installation to check: its effective settings, and the home that they come from if it is known."""

    environment: Mapping[str, str] = field(repr=False)
    home: Path | None = None
    watch_seconds: float = 5.0  # how long playlists are watched while their encoder writes them


def ok(about: str, what: str) -> Finding:
    return Finding(Level.OK, about, what)


def warning(about: str, what: str, fix: str) -> Finding:
    return Finding(Level.WARNING, about, what, fix)


def error(about: str, what: str, fix: str) -> Finding:
    return Finding(Level.ERROR, about, what, fix)
