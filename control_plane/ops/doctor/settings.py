"""Tells whether every setting parses, the secrets are strong, and nobody else reads them."""

import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from pydantic import ValidationError
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from authz_sidecar.contract.settings_errors import sentences
from control_plane.errors import OperatorError
from control_plane.ops.doctor.finding import Finding, Installation, error, ok, warning
from control_plane.ops.home import default_keys_file, settings_file
from control_plane.ops.home_database import database_url
from control_plane.settings import Settings

_SECRETS: Final = ("PLAYBACK_SIGNING_SECRET", "INTERNAL_API_KEY")
_ENOUGH_DIFFERENT_CHARACTERS: Final = 12
_START_SECONDS: Final = 20
_FIX_SETTING: Final = "Correct it in .env, as .env.example describes it, and restart."
# The control plane knows nothing of the sidecar but the contract: so the sidecar is asked.
_ASK_SIDECAR: Final = """\
from pydantic import ValidationError
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError
from authz_sidecar.contract.settings_errors import sentences
from authz_sidecar.settings import SidecarSettings
try:
    SidecarSettings()
except ValidationError as error:
    print("\\n".join(sentences(error.errors())))
"""


def examine(installation: Installation) -> list[Finding]:
    return [*_values(installation), *_strength(installation), *_privacy(installation)]


def _values(installation: Installation) -> list[Finding]:
    problems = [*dict.fromkeys([*_of_control_plane(installation), *_of_sidecar(installation)])]
    if problems:
        return [error("settings", problem, _FIX_SETTING) for problem in problems]
    return [ok("settings", "The control plane and the sidecar accept all of them.")]


def _of_control_plane(installation: Installation) -> list[str]:
    given = {
        name: value
        for name in Settings.model_fields
        if (value := installation.environment.get(name.upper())) is not None
    }
    try:
        Settings(**given)  # type: ignore[arg-type]
    except ValidationError as problem:
        return sentences(problem.errors())
    return []


def _of_sidecar(installation: Installation) -> list[str]:
    try:
        asked = subprocess.run(  # noqa: S603  ourselves
            [sys.executable, "-c", _ASK_SIDECAR],
            env=dict(installation.environment),
            capture_output=True,
            text=True,
            timeout=_START_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return [f"The sidecar did not read its settings within {_START_SECONDS} s."]
    if asked.returncode:
        return ["The sidecar cannot be started."]
    return asked.stdout.splitlines()


def _strength(installation: Installation) -> Iterator[Finding]:
    """Length is checked with the values; a long secret of few characters is as good as a short one."""
    present = {name: value for name in _SECRETS if (value := installation.environment.get(name))}
    for name, value in present.items():
        if len(set(value)) < _ENOUGH_DIFFERENT_CHARACTERS:
            fix = "Replace it with a random one: `openssl rand -base64 48`."
            yield warning("secrets", f"{name} is easy to guess: it has few different characters.", fix)
    if len(present) > len(set(present.values())):
        yield warning("secrets", f"{' and '.join(present)} are the same.", "Give each its own: edges know the latter.")


def _database_files(installation: Installation) -> list[Path]:
    """Name SQLite's file and those beside it: older versions made them readable wherever the folder was."""
    try:
        url = make_url(database_url(installation.environment))
    except (OperatorError, ArgumentError):
        return []
    is_file = url.drivername.startswith("sqlite") and url.database
    return [Path(f"{url.database}{ending}") for ending in ("", "-wal", "-shm")] if is_file else []


def _privacy(installation: Installation) -> Iterator[Finding]:
    files = [settings_file(installation.home)] if installation.home else []
    files += _database_files(installation)
    named = installation.environment.get("PLAYBACK_KEYS_FILE")
    if named or installation.home:
        files.append(Path(named) if named else default_keys_file(installation.home or Path()))
    for file in files:
        if not file.exists():
            continue
        mode = stat.S_IMODE(file.stat().st_mode)
        if mode & (stat.S_IRWXO | stat.S_IRWXG):
            who = "everybody" if mode & stat.S_IRWXO else "its group"
            yield (error if mode & stat.S_IRWXO else warning)(
                str(file), f"Open to {who} (mode {mode:o}), and it holds secrets.", f"chmod 600 {file}"
            )
        elif not os.access(file, os.R_OK):
            yield error(str(file), "Not readable by this user.", "Give it to the user that runs the service.")
        else:
            yield ok(str(file), "Readable by its owner only.")
