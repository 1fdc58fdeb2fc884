"""The home folder of an installation: its settings file, and the paths of everything else.

It must never overwrite a settings file (the secrets in it are in use) and never leave an incomplete one behind.
"""

import errno
import os
import secrets
import stat
from collections.abc import Mapping
from pathlib import Path

from dotenv import dotenv_values

from authz_sidecar.contract.key_source import FILE
from authz_sidecar.contract.whole_files import replacing
from control_plane.accounts.passwords import hash_password
from control_plane.db.database import upgrade_schema
from control_plane.db.sealing import SETTING
from control_plane.errors import OperatorError, UsageError
from control_plane.ops.up_settings import UpSettings

DEFAULT_PORT = 8080
# Either of them in the environment means that settings come from there: commands need the first, `up` the second.
_REQUIRED_WITHOUT_FILE = ("DATABASE_URL", "INTERNAL_API_KEY")
_SECRET_BYTES = 48
_PASSWORD_BYTES = 12


def create_home(folder: Path, password: str | None, port: int = DEFAULT_PORT, stream_root: Path | None = None) -> None:
    """Create a home with new secrets and a migrated database. Without a password a set-up link creates the first owner.

    Raise UsageError for invalid input, OperatorError if there is a home already; nothing is changed then.
    """
    _check_port(port)
    if password is not None and not password.strip():
        raise UsageError("The admin password must not be empty.")
    folder = folder.absolute()
    settings = _new_settings(folder, password, port, stream_root)
    try:
        if settings_file(folder).exists():
            raise OperatorError(_already_exists(folder))
        _make_folders(folder, Path(settings["STREAM_ROOT"]))
        upgrade_schema(settings["DATABASE_URL"])
        _write_settings(settings_file(folder), settings)
    except OSError as error:
        raise UsageError(f"{error.filename or folder} cannot be written: {error.strerror}.") from error


def settings_file(folder: Path) -> Path:
    return folder / ".env"


def has_settings(folder: Path) -> bool:
    """Return whether there is a settings file, or the environment contains the settings instead."""
    return settings_file(folder).is_file() or any(os.environ.get(name) for name in _REQUIRED_WITHOUT_FILE)


def read_environment(folder: Path) -> dict[str, str]:
    """Return the home's settings, overridden by the environment, which may replace the file. Raise OperatorError."""
    file = settings_file(folder)
    if not has_settings(folder):
        raise OperatorError(
            f"{file} does not exist; `streamgate init --home {folder}` creates it. Without it, the environment must "
            f"have the settings, at least {' or '.join(_REQUIRED_WITHOUT_FILE)}."
        )
    if not file.is_file():
        return dict(os.environ)
    try:
        written = dotenv_values(file, interpolate=False)
    except OSError as error:
        raise OperatorError(f"{file} cannot be read: {error.strerror}.") from error
    settings = {name: value for name, value in written.items() if value is not None}
    return {**settings, **os.environ}


def keys_file(folder: Path, environment: Mapping[str, str]) -> Path:
    """Return the key file: by default alone in its folder, so that watching the folder sees nothing else."""
    return Path(environment.get(FILE) or folder / "keys" / "playback.json")


def setup_link_file(folder: Path) -> Path:
    """Return the file that holds the link for creating the first owner while there is no account."""
    return folder / "setup-link"


def ensure_secrets_key(folder: Path) -> dict[str, str]:
    """Return the settings; add a key for secrets to a home that has none yet. Raise OperatorError."""
    environment = read_environment(folder)
    if environment.get(SETTING) or not settings_file(folder).is_file():
        return environment
    try:
        add_setting(folder, SETTING, secrets.token_urlsafe(_SECRET_BYTES))
    except OSError as error:
        raise OperatorError(f"{settings_file(folder)} cannot be written: {error.strerror}.") from error
    return read_environment(folder)


def add_setting(folder: Path, name: str, value: str) -> None:
    """Append a line to the settings file, where it overrides earlier ones; keep all other lines. Raise OSError."""
    file = settings_file(folder).resolve()
    text, found = file.read_bytes(), file.stat()
    with replacing(file) as writer:
        writer.write(text if not text or text.endswith(b"\n") else text + b"\n")
        writer.write(f"{name}={_quoted(value)}\n".encode())
        os.fchown(writer.fileno(), found.st_uid, found.st_gid)
        os.fchmod(writer.fileno(), stat.S_IMODE(found.st_mode))


def stream_root(folder: Path, environment: Mapping[str, str]) -> Path | None:
    """Return the folder of the streams, or None if STREAM_ROOT is set but empty: all of them come from origins."""
    root = environment.get("STREAM_ROOT", folder / "streams")
    return Path(root).absolute() if root else None


def segment_cache(folder: Path, environment: Mapping[str, str]) -> Path:
    """Return the folder in which nginx keeps what it fetched from origins, if there are any."""
    return Path(environment.get("SEGMENT_CACHE_ROOT") or folder / "cache").absolute()


def public_port(environment: Mapping[str, str]) -> int:
    """Return the port that nginx listens on. Raise OperatorError if PORT is invalid."""
    return UpSettings.read(environment, only=("port",)).port


def new_password() -> str:
    return secrets.token_urlsafe(_PASSWORD_BYTES)


def _check_port(port: int) -> None:
    try:
        public_port({"PORT": str(port)})
    except OperatorError as invalid:
        raise UsageError(str(invalid)) from None


def _already_exists(folder: Path) -> str:
    return f"{settings_file(folder)} exists already and is never overwritten."


def _new_settings(folder: Path, password: str | None, port: int, root: Path | None) -> dict[str, str]:
    return {
        "PLAYBACK_SIGNING_SECRET": secrets.token_urlsafe(_SECRET_BYTES),
        SETTING: secrets.token_urlsafe(_SECRET_BYTES),
        "INTERNAL_API_KEY": secrets.token_urlsafe(_SECRET_BYTES),
        "ADMIN_PASSWORD_HASH": hash_password(password) if password is not None else "",
        "DATABASE_URL": os.environ.get("DATABASE_URL") or f"sqlite+aiosqlite:///{folder}/streamgate.db",
        "STREAM_ROOT": str((root or stream_root(folder, os.environ) or folder / "streams").absolute()),
        "PORT": str(port),
    }


def _make_folders(folder: Path, root: Path) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    root.mkdir(parents=True, exist_ok=True)
    if not os.access(folder, os.W_OK | os.X_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(folder))


def _write_settings(file: Path, settings: Mapping[str, str]) -> None:
    """Write the settings file. Raise OperatorError if there is one already."""
    try:
        with replacing(file, exclusive=True) as writer:
            writer.write(b"# Settings of this StreamGate, see docs/reference/settings.md. Keep this file secret.\n")
            writer.writelines(f"{name}={_quoted(value)}\n".encode() for name, value in settings.items())
    except FileExistsError as error:
        raise OperatorError(_already_exists(file.parent)) from error


def _quoted(value: str) -> str:
    """Quote for both python-dotenv and shells: in single quotes `$` has no special meaning."""
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
