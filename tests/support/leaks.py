"""Search logs for secrets: secrets of tests are recorded here, and a process's log is searched when it stops."""

import re
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final
from urllib.parse import unquote

from dotenv import dotenv_values
from sqlalchemy import NullPool, create_engine, text
from sqlalchemy.exc import SQLAlchemyError

_SHORTEST: Final = 8  # characters of the shortest code
_WORDS: Final = re.compile(rf"[0-9A-Za-z_-]{{{_SHORTEST},}}")
_SECRET_SETTINGS: Final = ("PLAYBACK_SIGNING_SECRET", "INTERNAL_API_KEY", "SECRETS_KEY")
# Patterns for secrets that were not recorded: tokens, cookies, Authorization headers and API keys.
_LOOKS: Final = re.compile(
    r"eyJ[\w-]+\.eyJ|\bsg_[a-z]+=(?!\[redacted\])[^;\s\",]|\bbearer (?!\[token\])[^\s\",]|\bsgk_\w", re.IGNORECASE
)
_known: set[str] = set()


def remember(*secrets: str) -> None:
    """Record secrets that no log may contain from now on, nor any part of a token."""
    _known.update(part for secret in secrets for part in secret.split(".") if len(part) >= _SHORTEST)


def forget() -> None:
    _known.clear()


def remember_codes(database_url: str) -> None:
    """Record the codes of all tickets in the database; none if it is unreachable or empty."""
    engine = create_engine(database_url.replace("+aiosqlite", ""), poolclass=NullPool)
    with suppress(SQLAlchemyError), engine.connect() as connection:
        remember(*connection.scalars(text("SELECT code FROM ticket")))


def check(logs: Iterable[Path]) -> None:
    """Fail with the first line that contains a secret."""
    for log in logs:
        with log.open(encoding="utf-8", errors="replace") as lines:
            for line in lines:
                assert not _found(line), f"{log.name} holds {_found(line)}: {line}"


def check_home(home: Path, *more: Path) -> None:
    """Check all logs of a home whose processes have stopped."""
    settings = dotenv_values(home / ".env", interpolate=False)
    remember(*(settings[name] or "" for name in _SECRET_SETTINGS if name in settings))
    remember_codes(settings["DATABASE_URL"] or "")
    check([*(home / "log").glob("*"), *more])


def _found(line: str) -> set[str]:
    plain = unquote(line)
    return {word for word in _words(plain) if word in _known} | set(_LOOKS.findall(plain))


def _words(line: str) -> set[str]:
    """Return all words including their dashes, and the parts between the dashes."""
    words = set(_WORDS.findall(line))
    return words | {part for word in words for part in re.split("[_-]", word)}
