"""canonical codes: a ticket is found, and searched for, without regard to case and look-alikes

A generated column with an index. SQLite computes it whenever it is read, PostgreSQL keeps it. The trigram index of
codes becomes one of canonical codes.
"""

from typing import Final

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_NESTED: Final = "replace(replace(replace(upper(replace(code, 'i', '1')), 'O', '0'), 'I', '1'), 'L', '1')"
_TRANSLATED: Final = "translate(code, 'abcdefghijklmnopqrstuvwxyzOIL', 'ABCDEFGH1JK1MN0PQRSTUVWXYZ011')"
_DROP_FTS5: Final = (
    "DROP TRIGGER ticket_search_insert",
    "DROP TRIGGER ticket_search_delete",
    "DROP TRIGGER ticket_search_update",
    "DROP TABLE ticket_search",
)
# As in migration 0004, whose comments hold here.
_MAKE_FTS5: Final = (
    "CREATE VIRTUAL TABLE ticket_search USING fts5 ({code}, label, content='ticket', columnsize=0, tokenize='trigram')",
    """CREATE TRIGGER ticket_search_insert AFTER INSERT ON ticket BEGIN
         INSERT INTO ticket_search (rowid, {code}, label) VALUES (new.rowid, new.{code}, new.label);
       END""",
    """CREATE TRIGGER ticket_search_delete AFTER DELETE ON ticket BEGIN
         INSERT INTO ticket_search (ticket_search, rowid, {code}, label)
         VALUES ('delete', old.rowid, old.{code}, old.label);
       END""",
    """CREATE TRIGGER ticket_search_update AFTER UPDATE OF code, label ON ticket BEGIN
         INSERT INTO ticket_search (ticket_search, rowid, {code}, label)
         VALUES ('delete', old.rowid, old.{code}, old.label);
         INSERT INTO ticket_search (rowid, {code}, label) VALUES (new.rowid, new.{code}, new.label);
       END""",
    "INSERT INTO ticket_search (ticket_search) VALUES ('rebuild')",
)


def upgrade() -> None:
    expression = _NESTED if _is_sqlite() else _TRANSLATED
    kind = sa.Computed(expression, persisted=not _is_sqlite())
    op.add_column("ticket", sa.Column("canonical", sa.String(length=64), kind, nullable=False))
    op.create_index("ix_ticket_canonical", "ticket", ["canonical"])
    _index_trigrams("canonical")


def downgrade() -> None:
    _index_trigrams("code")
    op.drop_index("ix_ticket_canonical", "ticket")
    op.drop_column("ticket", "canonical")


def _index_trigrams(column: str) -> None:
    connection = op.get_bind()
    if _is_sqlite():
        for statement in (*_DROP_FTS5, *_MAKE_FTS5):
            connection.exec_driver_sql(statement.format(code=column))
    elif connection.scalar(sa.text("SELECT to_regclass('ticket_search_code')")):  # there is pg_trgm
        connection.exec_driver_sql("DROP INDEX ticket_search_code")
        connection.exec_driver_sql(f"CREATE INDEX ticket_search_code ON ticket USING gin ({column} gin_trgm_ops)")


def _is_sqlite() -> bool:
    return op.get_bind().dialect.name == "sqlite"
