"""A new SQLite database for each test: a copy of one that was migrated once."""

import tempfile
from functools import cache
from pathlib import Path

from control_plane.db.database import upgrade_schema


def new_database(folder: Path) -> str:
    """Create a migrated database and return its URL."""
    path = folder / "streamgate.db"
    path.write_bytes(_empty())
    path.chmod(0o600)
    return f"sqlite+aiosqlite:///{path}"


@cache
def _empty() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "empty.db"
        upgrade_schema(f"sqlite+aiosqlite:///{path}")
        return path.read_bytes()
