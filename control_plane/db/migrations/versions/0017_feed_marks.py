"""marks, by which a log that was set back and has grown again is told from the one before"""

import secrets

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    marks = op.create_table(
        "feed_mark",
        sa.Column("n", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("mark", sa.String(length=16), nullable=False),
        sa.PrimaryKeyConstraint("n", name=op.f("pk_feed_mark")),
    )
    op.bulk_insert(marks, [{"n": 0, "mark": secrets.token_hex(4)}])


def downgrade() -> None:
    op.drop_table("feed_mark")
