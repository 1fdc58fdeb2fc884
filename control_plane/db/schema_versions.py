"""The versions of the schema: the one of a database, the known ones, and migrating from one to another."""

from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from control_plane.errors import OperatorError

_MIGRATIONS: Final = str(Path(__file__).parent / "migrations")


def known() -> list[str]:
    """Return all revisions, oldest first."""
    return [script.revision for script in ScriptDirectory(_MIGRATIONS).walk_revisions()][::-1]


def current(connection: Connection) -> str | None:
    """Return the database's revision; None if it has none of our tables."""
    return MigrationContext.configure(connection).get_current_revision()


def move(connection: Connection, revision: str) -> None:
    """Migrate to a known revision, up or down, within the caller's transaction.

    Raise OperatorError if the database is newer than this program.
    """
    revisions, now = known(), current(connection)
    if now is not None and now not in revisions:
        raise OperatorError("The database was made by a newer StreamGate; use that version.")
    config = Config()
    config.set_main_option("script_location", _MIGRATIONS)
    config.attributes["connection"] = connection
    go = command.downgrade if now and revisions.index(now) > revisions.index(revision) else command.upgrade
    go(config, revision)
