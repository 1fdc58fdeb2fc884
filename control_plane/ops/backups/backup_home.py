"""Back up and restore a home: its database and, on request, its settings and the secrets in them.

Settings are only written where none exist; those in use are never overwritten.
"""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path

import anyio

from authz_sidecar.contract.key_source import FILE
from authz_sidecar.contract.whole_files import replacing
from control_plane.db.sealing import SETTING, Sealer, split_keys
from control_plane.errors import OperatorError
from control_plane.ops import supervisor
from control_plane.ops.backups import backup, backup_file, saved_settings
from control_plane.ops.backups.backup_file import BackupTrailer, SavedSettings
from control_plane.ops.home import (
    add_setting,
    ensure_secrets_key,
    has_settings,
    keys_file,
    read_environment,
    settings_file,
    stream_root,
)
from control_plane.ops.home_database import database_url, sqlite_file


@dataclass(frozen=True, slots=True)
class Restored:
    """What was restored; `settings` is true if the settings were taken from the backup, too."""

    created_at: datetime
    rows: dict[str, int]
    settings: bool


def back_up(home: Path, file: Path, now: datetime, *, with_secrets: bool) -> BackupTrailer:
    """Write a backup to a new file (mode 600). Raise OperatorError and leave no file if it fails."""
    home = home.absolute()
    environment = read_environment(home)
    saved = _saved_settings(home, environment) if with_secrets else None
    return anyio.run(backup.dump, database_url(environment), file.absolute(), saved, now)


def restore(home: Path, file: Path, *, force: bool) -> Restored:
    """Restore into a home whose service is not running; a home without settings takes those of the backup.

    Raise OperatorError, leaving settings and data unchanged.
    """
    home = home.absolute()
    contents = backup_file.check(file)
    saved = None if settings_file(home).exists() else contents.settings
    if saved is None and not has_settings(home):
        raise OperatorError(f"The backup contains no settings; create them first: streamgate init --home {home}")
    with _settings_in_place(home, saved):
        environment = ensure_secrets_key(home)
        url = database_url(environment)
        if saved:
            _check_database_is_inside(home, url)
        with locked_home(home, url):
            sealer = _sealer(environment, contents.settings)
            ending = anyio.run(partial(backup.restore, url, file, sealer, force=force))
    return Restored(contents.heading.created_at, ending.rows, saved is not None)


def _saved_settings(home: Path, environment: Mapping[str, str]) -> SavedSettings:
    keys = keys_file(home, environment)
    with _reporting_os_errors(home):
        text = keys.read_text(encoding="utf-8") if keys.exists() else None
        return SavedSettings(str(home), settings_file(home).read_text(encoding="utf-8"), text)


def _sealer(environment: Mapping[str, str], saved: SavedSettings | None) -> Sealer:
    """Return a sealer that seals with this home's key and also opens what the saved settings' key has sealed."""
    saved_keys = saved_settings.values(saved).get(SETTING, "") if saved else ""
    try:
        return Sealer(split_keys(",".join(filter(None, (environment.get(SETTING, ""), saved_keys)))))
    except ValueError as error:
        raise OperatorError(f"{SETTING}: {error}.") from None


def _check_database_is_inside(home: Path, url: str) -> None:
    """Raise OperatorError if a link leads from the new home to a database elsewhere: it may belong to another home."""
    file = sqlite_file(url)
    if file and not file.resolve().is_relative_to(home.resolve()):
        raise OperatorError(f"{file} leads out of {home}; nothing was changed.")


@contextmanager
def locked_home(home: Path, url: str) -> Iterator[None]:
    """Prevent `up` from starting in this home and in the one that holds its database. Raise OperatorError."""
    run_folder = home / "run"
    with _reporting_os_errors(home):
        run_folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with ExitStack() as locks:
        for folder in {run_folder.resolve(), *_run_folders_above(url)}:
            locks.enter_context(supervisor.exclusive_lock(folder))
        yield


def _run_folders_above(url: str) -> list[Path]:
    """Return the run folders of the homes that contain the SQLite file, with links resolved."""
    file = sqlite_file(url)
    above = file.resolve().parents if file else ()
    return [folder / "run" for folder in above if (folder / "run" / supervisor.LOCK_FILE).is_file()]


@contextmanager
def _settings_in_place(home: Path, saved: SavedSettings | None) -> Iterator[None]:
    """Write the settings; remove them again if the block fails."""
    written: list[Path] = []
    try:
        if saved:
            with _reporting_os_errors(home):
                _write_settings(home, saved, written)
        yield
    except BaseException:
        for file in written:
            file.unlink(missing_ok=True)
        raise


def _write_settings(home: Path, saved: SavedSettings, written: list[Path]) -> None:
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    _write_new(settings_file(home), saved_settings.ours(saved), written)
    for name, value in saved_settings.moved(saved, home).items():
        add_setting(home, name, value)
    if saved.keys:
        keys = keys_file(home, {})
        keys.parent.mkdir(mode=0o700, exist_ok=True)
        _write_new(keys, saved.keys, written)
        add_setting(home, FILE, str(keys))
    root = stream_root(home, read_environment(home))
    if root and root.is_relative_to(home):
        root.mkdir(parents=True, exist_ok=True)


def _write_new(file: Path, text: str, written: list[Path]) -> None:
    with replacing(file, exclusive=True) as writer:
        writer.write(text.encode())
    written.append(file)


@contextmanager
def _reporting_os_errors(home: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OperatorError(f"{error.filename or home} cannot be used: {(error.strerror or '').lower()}.") from error
