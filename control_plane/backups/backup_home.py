"""Backup and restore of a home: its database, and with it, when asked for, the secrets that its settings hold.

Settings are only ever written where there are none: those in use are never overwritten.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from io import StringIO
from pathlib import Path
from typing import Final

import anyio
from dotenv import dotenv_values

from control_plane.backups import backup, backup_file
from control_plane.backups.backup_file import Ending, SavedSettings
from control_plane.cli.commands import database_url
from control_plane.running import supervisor
from control_plane.running.home import (
    OperatorError,
    add_setting,
    default_keys_file,
    has_settings,
    read_environment,
    settings_file,
    stream_root,
)

_SQLITE: Final = "sqlite+aiosqlite:///"
_KEYS: Final = "PLAYBACK_KEYS_FILE"
_PATHS: Final = ("STREAM_ROOT", "SEGMENT_CACHE_ROOT", "APP_LOGO_FILE")


@dataclass(frozen=True, slots=True)
class Restored:
    """`settings` tells whether the settings came along."""

    created_at: datetime
    rows: dict[str, int]
    settings: bool


def back_up(home: Path, file: Path, now: datetime, *, with_secrets: bool) -> Ending:
    """Write a backup into a new file (mode 600). Raise OperatorError, with no file left."""
    home = home.absolute()
    environment = read_environment(home)
    saved = _saved_settings(home, environment) if with_secrets else None
    return anyio.run(backup.dump, database_url(environment), file.absolute(), saved, now)


def restore(home: Path, file: Path, *, force: bool) -> Restored:
    """Restore into a home that is not up; a home without settings takes those of the backup.

    Raise OperatorError, with settings and data as they were.
    """
    home = home.absolute()
    contents = backup_file.check(file)
    saved = None if settings_file(home).exists() else contents.settings
    if saved is None and not has_settings(home):
        raise OperatorError(f"The backup holds no settings; make them first: streamgate init --home {home}")
    with _settings_in_place(home, saved), _held(home):
        url = database_url(read_environment(home))
        ending = anyio.run(partial(backup.restore, url, file, force=force))
    return Restored(contents.heading.created_at, ending.rows, saved is not None)


def _saved_settings(home: Path, environment: Mapping[str, str]) -> SavedSettings:
    keys = Path(environment.get(_KEYS) or default_keys_file(home))
    with _problems_said(home):
        text = keys.read_text(encoding="utf-8") if keys.exists() else None
        return SavedSettings(str(home), settings_file(home).read_text(encoding="utf-8"), text)


@contextmanager
def _held(home: Path) -> Iterator[None]:
    """Keep `up` out meanwhile. Raise OperatorError when the home is up."""
    run_folder = home / "run"
    run_folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with supervisor.only_one(run_folder):
        yield


@contextmanager
def _settings_in_place(home: Path, saved: SavedSettings | None) -> Iterator[None]:
    """Write the settings; take them away again when what follows fails."""
    written: list[Path] = []
    try:
        if saved:
            with _problems_said(home):
                _write_settings(home, saved, written)
        yield
    except BaseException:
        for file in written:
            file.unlink(missing_ok=True)
        raise


def _write_settings(home: Path, saved: SavedSettings, written: list[Path]) -> None:
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    _write_new(settings_file(home), saved.env, written)
    for name, value in _moved(saved, home).items():
        add_setting(home, name, value)
    if saved.keys:
        keys = default_keys_file(home)
        keys.parent.mkdir(mode=0o700, exist_ok=True)
        _write_new(keys, saved.keys, written)
        add_setting(home, _KEYS, str(keys))
    root = stream_root(home, read_environment(home))
    if root.is_relative_to(home):
        root.mkdir(parents=True, exist_ok=True)


def _moved(saved: SavedSettings, home: Path) -> dict[str, str]:
    """Give the settings that name something inside the old home, as they are in this one."""
    old = Path(saved.home)
    if old == home:
        return {}
    values = dotenv_values(stream=StringIO(saved.env), interpolate=False)
    moved = {name: _elsewhere(Path(value), old, home) for name in _PATHS if (value := values.get(name))}
    url = values.get("DATABASE_URL") or ""
    if url.startswith(_SQLITE):
        moved["DATABASE_URL"] = _elsewhere(Path(url.removeprefix(_SQLITE)), old, home, lambda path: f"{_SQLITE}{path}")
    return {name: value for name, value in moved.items() if value}


def _elsewhere(path: Path, old: Path, new: Path, spell: Callable[[Path], str] = str) -> str | None:
    return spell(new / path.relative_to(old)) if path.is_relative_to(old) else None


def _write_new(file: Path, text: str, written: list[Path]) -> None:
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    written.append(file)
    with os.fdopen(descriptor, "w", encoding="utf-8") as writer:
        writer.write(text)
        writer.flush()
        os.fsync(descriptor)


@contextmanager
def _problems_said(home: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OperatorError(f"{error.filename or home} cannot be used: {(error.strerror or '').lower()}.") from error
