"""ticket search: parts of codes and labels, and lists of a million tickets

A trigram index answers what a code or label contains. SQLite keeps it as a table of FTS5 that three triggers hold in
step; PostgreSQL has pg_trgm, and where that is refused searches read the tickets one by one.
"""

from typing import Any

import sqlalchemy as sa
import structlog
from alembic import op
from sqlalchemy.exc import DBAPIError

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

log = structlog.get_logger()
_REFUSED = (
    "PostgreSQL refuses pg_trgm: ticket searches work but are slow. Let its administrator run "
    "CREATE EXTENSION pg_trgm in this database, then undo this migration and run it again."
)
# Named by their rowids, which SQLite leaves as they are in a table that has an index, also when it is vacuumed.
_FTS5 = (
    "CREATE VIRTUAL TABLE ticket_search USING fts5 (code, label, content='ticket', columnsize=0, tokenize='trigram')",
    """CREATE TRIGGER ticket_search_insert AFTER INSERT ON ticket BEGIN
         INSERT INTO ticket_search (rowid, code, label) VALUES (new.rowid, new.code, new.label);
       END""",
    """CREATE TRIGGER ticket_search_delete AFTER DELETE ON ticket BEGIN
         INSERT INTO ticket_search (ticket_search, rowid, code, label)
         VALUES ('delete', old.rowid, old.code, old.label);
       END""",
    # Of these columns only: redeeming a ticket is not to cost anything here.
    """CREATE TRIGGER ticket_search_update AFTER UPDATE OF code, label ON ticket BEGIN
         INSERT INTO ticket_search (ticket_search, rowid, code, label)
         VALUES ('delete', old.rowid, old.code, old.label);
         INSERT INTO ticket_search (rowid, code, label) VALUES (new.rowid, new.code, new.label);
       END""",
    "INSERT INTO ticket_search (ticket_search) VALUES ('rebuild')",
)
_NO_FTS5 = (
    "DROP TRIGGER ticket_search_insert",
    "DROP TRIGGER ticket_search_delete",
    "DROP TRIGGER ticket_search_update",
    "DROP TABLE ticket_search",
)
# Newest first, of all and of one event; those that are few among very many have indexes of their own.
_LISTS = {
    "ix_ticket_created_at_id": (["created_at", "id"], None),
    "ix_ticket_event_id_created_at_id": (["event_id", "created_at", "id"], None),
    "ix_ticket_revoked": (["created_at", "id"], "is_revoked IS {true}"),
    "ix_ticket_revoked_of_event": (["event_id", "created_at", "id"], "is_revoked IS {true}"),
    "ix_ticket_redeemed": (["is_revoked", "created_at", "id"], "redeemed_at IS NOT NULL"),
    "ix_ticket_redeemed_of_event": (["event_id", "is_revoked", "created_at", "id"], "redeemed_at IS NOT NULL"),
}


def upgrade() -> None:
    for name, (columns, where) in _LISTS.items():
        condition: dict[str, Any] = {
            f"{dialect}_where": sa.text(where.format(true=true))
            for dialect, true in (("sqlite", "1"), ("postgresql", "true"))
            if where
        }
        op.create_index(name, "ticket", columns, **condition)
    op.drop_index("ix_ticket_event_id", "ticket")
    if op.get_bind().dialect.name == "sqlite":
        _run(_FTS5)
    else:
        _index_trigrams()


def downgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        _run(_NO_FTS5)
    else:  # the extension stays: something else may need it
        _run(("DROP INDEX IF EXISTS ticket_search_code", "DROP INDEX IF EXISTS ticket_search_label"))
    op.create_index("ix_ticket_event_id", "ticket", ["event_id"])
    for name in _LISTS:
        op.drop_index(name, "ticket")


def _run(statements: tuple[str, ...]) -> None:
    for statement in statements:
        op.get_bind().exec_driver_sql(statement)


def _index_trigrams() -> None:
    connection = op.get_bind()
    try:
        with connection.begin_nested():
            connection.exec_driver_sql("CREATE EXTENSION IF NOT EXISTS pg_trgm")
    except DBAPIError:
        log.warning("ticket_search_not_indexed", hint=_REFUSED)
        return
    _run(
        (
            "CREATE INDEX ticket_search_code ON ticket USING gin (code gin_trgm_ops)",
            "CREATE INDEX ticket_search_label ON ticket USING gin (label gin_trgm_ops)",
        )
    )
