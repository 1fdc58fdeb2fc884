"""posters that organisers upload"""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "poster",
        sa.Column("event_id", sa.String(length=36), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["event_id"], ["event.id"], name=op.f("fk_poster_event_id")),
        sa.PrimaryKeyConstraint("event_id", name=op.f("pk_poster")),
    )
    op.add_column("event", sa.Column("poster_digest", sa.String(length=32), nullable=True))


def downgrade() -> None:
    op.drop_column("event", "poster_digest")
    op.drop_table("poster")
