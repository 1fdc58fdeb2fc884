"""edges and their receipts; since when an event is deactivated"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "edge",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("epoch", sa.String(length=16), nullable=False),
        sa.Column("acknowledged", sa.BigInteger(), nullable=False),
        sa.Column("heard_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("lag", sa.Double(), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_edge")),
    )
    op.add_column("event", sa.Column("deactivated_at", sa.DateTime(timezone=True), nullable=True))
    op.execute("UPDATE event SET deactivated_at = updated_at WHERE NOT is_active")


def downgrade() -> None:
    # No batch: it would create the table again, and dropping the old one takes the tickets along.
    op.drop_column("event", "deactivated_at")
    op.drop_table("edge")
