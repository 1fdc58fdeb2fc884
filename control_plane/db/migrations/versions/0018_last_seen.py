"""when live sessions were last seen moves out of their wide rows; of those that are over it stays there"""

import sqlalchemy as sa
from alembic import op

from control_plane.db.database import UtcDateTime

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "last_seen",
        sa.Column("sid", sa.String(length=64), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("sid", name=op.f("pk_last_seen")),
        postgresql_with={"fillfactor": 50},
    )
    op.execute("INSERT INTO last_seen (sid, at) SELECT sid, last_seen_at FROM viewing_session WHERE ended_at IS NULL")
    _rename("last_seen_at", "seen_until", nullable=True)
    op.execute("UPDATE viewing_session SET seen_until = NULL WHERE ended_at IS NULL")


def downgrade() -> None:
    op.execute(
        "UPDATE viewing_session SET seen_until = "
        "coalesce((SELECT at FROM last_seen WHERE last_seen.sid = viewing_session.sid), started_at) "
        "WHERE seen_until IS NULL"
    )
    _rename("seen_until", "last_seen_at", nullable=False)
    op.drop_table("last_seen")


def _rename(old: str, new: str, *, nullable: bool) -> None:
    with op.batch_alter_table("viewing_session") as table:
        table.alter_column(old, new_column_name=new, existing_type=sa.DateTime(timezone=True), nullable=nullable)
