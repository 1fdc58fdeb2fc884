"""how many tickets each event has, kept by the database itself: counting a million takes a tenth of a second"""

from typing import Final

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

# The names are not the models': ticket_counts.py reads the table, nobody but these triggers writes it, and a backup
# leaves it out, since the tickets make it again.
_SQLITE: Final = (
    """CREATE TRIGGER ticket_tally_insert AFTER INSERT ON ticket BEGIN
         INSERT INTO ticket_tally (event_id, total) VALUES (new.event_id, 1)
         ON CONFLICT (event_id) DO UPDATE SET total = total + 1;
       END""",
    """CREATE TRIGGER ticket_tally_delete AFTER DELETE ON ticket BEGIN
         UPDATE ticket_tally SET total = total - 1 WHERE event_id = old.event_id;
         DELETE FROM ticket_tally WHERE event_id = old.event_id AND total = 0;
       END""",
)
# Once a statement: a thousand tickets of a batch are one change of one row. In the order of the ids, as all locks.
_POSTGRESQL: Final = (
    """CREATE FUNCTION ticket_tally_insert() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
         INSERT INTO ticket_tally (event_id, total)
         SELECT event_id, count(*) FROM added GROUP BY event_id ORDER BY event_id
         ON CONFLICT (event_id) DO UPDATE SET total = ticket_tally.total + excluded.total;
         RETURN NULL;
       END $$""",
    """CREATE FUNCTION ticket_tally_delete() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
         INSERT INTO ticket_tally (event_id, total)
         SELECT event_id, -count(*) FROM removed GROUP BY event_id ORDER BY event_id
         ON CONFLICT (event_id) DO UPDATE SET total = ticket_tally.total + excluded.total;
         DELETE FROM ticket_tally WHERE total = 0 AND event_id IN (SELECT event_id FROM removed);
         RETURN NULL;
       END $$""",
    """CREATE TRIGGER ticket_tally_insert AFTER INSERT ON ticket
         REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION ticket_tally_insert()""",
    """CREATE TRIGGER ticket_tally_delete AFTER DELETE ON ticket
         REFERENCING OLD TABLE AS removed FOR EACH STATEMENT EXECUTE FUNCTION ticket_tally_delete()""",
)
_TRIGGERS: Final = "ticket_tally_insert", "ticket_tally_delete"


def upgrade() -> None:
    op.create_table(
        "ticket_tally",
        sa.Column("event_id", sa.String(length=36), primary_key=True),
        sa.Column("total", sa.BigInteger(), nullable=False),
    )
    for statement in _SQLITE if _is_sqlite() else _POSTGRESQL:
        op.get_bind().exec_driver_sql(statement)
    op.execute("INSERT INTO ticket_tally (event_id, total) SELECT event_id, count(*) FROM ticket GROUP BY event_id")


def downgrade() -> None:
    for name in _TRIGGERS:
        op.execute(f"DROP TRIGGER {name}" if _is_sqlite() else f"DROP TRIGGER {name} ON ticket")
    if not _is_sqlite():
        for name in _TRIGGERS:
            op.execute(f"DROP FUNCTION {name}()")
    op.drop_table("ticket_tally")


def _is_sqlite() -> bool:
    return op.get_bind().dialect.name == "sqlite"
