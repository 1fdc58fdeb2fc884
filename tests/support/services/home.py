"""A home as `streamgate init` creates it, with a database that was migrated once for all tests."""

from pathlib import Path

from control_plane.ops.home import create_home
from tests.support.services.sqlite_file import new_database
from tests.support.threads import in_thread


def new_home(folder: Path, password: str = "secret", port: int = 9000) -> Path:
    """Create a home and return its folder."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    in_thread(lambda: new_database(folder))
    in_thread(lambda: create_home(folder, password, port))
    return folder
