"""Check that every setting is valid, that the secrets are strong, and that no other user can read them."""

import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from authz_sidecar.contract.settings_errors import sentences
from control_plane.ops.doctor.finding import Finding, Installation, error, ok, warning
from control_plane.ops.home import keys_file, settings_file
from control_plane.settings import Settings

_SECRETS: Final = ("PLAYBACK_SIGNING_SECRET", "INTERNAL_API_KEY")
_MIN_DIFFERENT_CHARACTERS: Final = 12
_START_SECONDS: Final = 20
_FIX_SETTING: Final = "Correct it in .env (see .env.example) and restart."
# The control plane may import only the sidecar's contract, so a subprocess loads the sidecar's settings.
_CHECK_SIDECAR: Final = """\
from pydantic import ValidationError
from authz_sidecar.contract.settings_errors import sentences
from authz_sidecar.settings import SidecarSettings
try:
    SidecarSettings()
except ValidationError as error:
    print("\\n".join(sentences(error.errors())))
"""


def examine(installation: Installation) -> list[Finding]:
    return [*_values(installation), *_strength(installation), *_permissions(installation)]


def _values(installation: Installation) -> list[Finding]:
    problems = [*dict.fromkeys([*_control_plane_problems(installation), *_sidecar_problems(installation)])]
    if problems:
        return [error("settings", problem, _FIX_SETTING) for problem in problems]
    return [ok("settings", "The control plane and the sidecar accept all of them.")]


def _control_plane_problems(installation: Installation) -> list[str]:
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


def _sidecar_problems(installation: Installation) -> list[str]:
    try:
        result = subprocess.run(  # noqa: S603  our own code
            [sys.executable, "-c", _CHECK_SIDECAR],
            env=dict(installation.environment),
            capture_output=True,
            text=True,
            timeout=_START_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return [f"The sidecar did not read its settings within {_START_SECONDS} s."]
    if result.returncode:
        return ["The sidecar cannot be started."]
    return result.stdout.splitlines()


def _strength(installation: Installation) -> Iterator[Finding]:
    """Check for few different characters: such a secret is weak even if it is long. `_values` checks the length."""
    present = {name: value for name in _SECRETS if (value := installation.environment.get(name))}
    for name, value in present.items():
        if len(set(value)) < _MIN_DIFFERENT_CHARACTERS:
            fix = "Replace it with a random one: `openssl rand -base64 48`."
            yield warning("secrets", f"{name} is easy to guess: it has few different characters.", fix)
    if len(present) > len(set(present.values())):
        yield warning("secrets", f"{' and '.join(present)} are the same.", "Give each its own: edges know the latter.")


def _database_files(installation: Installation) -> list[Path]:
    """Return SQLite's file and those beside it: older versions created them readable by every user."""
    file = installation.database_file
    return [Path(f"{file}{ending}") for ending in ("", "-wal", "-shm")] if file else []


def _permissions(installation: Installation) -> Iterator[Finding]:
    keys = keys_file(installation.home, installation.environment)
    for file in (settings_file(installation.home), *_database_files(installation), keys):
        if not file.exists():
            continue
        mode = stat.S_IMODE(file.stat().st_mode)
        if mode & (stat.S_IRWXO | stat.S_IRWXG):
            who = "everybody" if mode & stat.S_IRWXO else "its group"
            yield (error if mode & stat.S_IRWXO else warning)(
                str(file), f"Open to {who} (mode {mode:o}), and it holds secrets.", f"chmod 600 {file}"
            )
        elif not os.access(file, os.R_OK):
            yield error(str(file), "Not readable by this user.", "Change its owner to the user that runs the service.")
        else:
            yield ok(str(file), "Readable by its owner only.")
