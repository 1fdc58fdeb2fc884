"""The settings in a backup, adapted to the home that they are restored to.

A backup may come from anywhere: only StreamGate's own settings are taken, so that it cannot set variables that Python
or the dynamic loader read. An SQLite database is always placed in the new home, so that no other home's is overwritten.
"""

from collections.abc import Mapping
from io import StringIO
from os.path import normpath
from pathlib import Path
from typing import Final

from dotenv import dotenv_values
from dotenv.parser import parse_stream

from authz_sidecar.contract import origin_settings
from control_plane.ops.backups.backup_file import SavedSettings
from control_plane.ops.processes import SIDECAR_SETTINGS
from control_plane.ops.up_settings import UpSettings
from control_plane.settings import Settings

SQLITE: Final = "sqlite+aiosqlite:///"
_DATABASE: Final = "streamgate.db"
_PATHS: Final = ("STREAM_ROOT", "SEGMENT_CACHE_ROOT", "APP_LOGO_FILE")
_SET_BY_UP: Final = ("CONTROL_PLANE_URL", "SIDECAR_STATE_FILE")
_FIELDS: Final = (name.upper() for model in (Settings, UpSettings) for name in model.model_fields)
OURS: Final = frozenset((*_FIELDS, *SIDECAR_SETTINGS, *origin_settings.SETTINGS, *_SET_BY_UP))


def values(saved: SavedSettings) -> dict[str, str]:
    """Return StreamGate's own settings in a backup."""
    found = dotenv_values(stream=StringIO(saved.env), interpolate=False)
    return {name: value for name, value in found.items() if name in OURS and value is not None}


def ours(saved: SavedSettings) -> str:
    """Return the text of the settings file, reduced to its comments and StreamGate's own settings."""
    bindings = parse_stream(StringIO(saved.env))
    return "".join(one.original.string for one in bindings if not one.error and (one.key is None or one.key in OURS))


def moved(saved: SavedSettings, home: Path) -> dict[str, str]:
    """Return the settings whose values must differ in this home from those in the saved one."""
    found, old = values(saved), Path(normpath(saved.home))
    paths = {name: _relocated(found[name], old, home) for name in _PATHS if found.get(name)}
    changed = {name: str(path) for name, path in paths.items() if path is not None}
    return changed | _database(found, old, home)


def _database(found: Mapping[str, str], old: Path, home: Path) -> dict[str, str]:
    url = found.get("DATABASE_URL", "")
    if url and not url.startswith(SQLITE):
        return {}
    path = _relocated(url.removeprefix(SQLITE), old, home)
    return {"DATABASE_URL": f"{SQLITE}{path or home / _DATABASE}"}


def _relocated(written: str, old: Path, new: Path) -> Path | None:
    """Return the path in the new home for a path inside the old one, or None for any other path."""
    path = Path(normpath(written))
    return new / path.relative_to(old) if written and path != old and path.is_relative_to(old) else None
