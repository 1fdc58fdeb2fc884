"""codes that a TV shows, and by which browser a session was approved"""

import sqlalchemy as sa
from alembic import op

from control_plane.db.database import UtcDateTime

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "tv_code",
        sa.Column("device_hash", sa.String(length=64), nullable=False),
        sa.Column("user_code", sa.String(length=16), nullable=False),
        sa.Column("client_ip", sa.String(length=45), nullable=False),
        sa.Column("user_agent", sa.String(length=400), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.Column("sid", sa.String(length=64), nullable=True),
        sa.PrimaryKeyConstraint("device_hash", name=op.f("pk_tv_code")),
        sa.UniqueConstraint("user_code", name=op.f("uq_tv_code_user_code")),
    )
    op.create_index(op.f("ix_tv_code_expires_at"), "tv_code", ["expires_at"], unique=False)
    op.add_column("viewing_session", sa.Column("approved_by", sa.String(length=64), nullable=True))


def downgrade() -> None:
    op.drop_column("viewing_session", "approved_by")
    op.drop_index(op.f("ix_tv_code_expires_at"), table_name="tv_code")
    op.drop_table("tv_code")
