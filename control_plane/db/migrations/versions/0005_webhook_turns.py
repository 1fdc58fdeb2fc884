"""webhooks take turns, rest after failures, and hear once that an event has begun or ended"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    # No batch: it would create the table again, and dropping the old one takes what hangs from it along.
    op.add_column("webhook", sa.Column("failures", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("webhook", sa.Column("free_at", _TIME, nullable=True))
    op.drop_index(op.f("ix_webhook_delivery_next_attempt_at"), "webhook_delivery")
    op.drop_index(op.f("ix_webhook_delivery_webhook_id"), "webhook_delivery")
    op.create_index(op.f("ix_webhook_delivery_webhook_id_id"), "webhook_delivery", ["webhook_id", "id"])
    op.create_index(
        "ix_webhook_delivery_waiting",
        "webhook_delivery",
        ["webhook_id", "next_attempt_at"],
        sqlite_where=sa.text("next_attempt_at IS NOT NULL"),
        postgresql_where=sa.text("next_attempt_at IS NOT NULL"),
    )
    op.create_table(
        "event_news",
        sa.Column("event_id", sa.String(length=36), nullable=False),
        sa.Column("topic", sa.String(length=48), nullable=False),
        sa.Column("at", _TIME, nullable=False),
        sa.ForeignKeyConstraint(["event_id"], ["event.id"], name=op.f("fk_event_news_event_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("event_id", "topic", name=op.f("pk_event_news")),
    )


def downgrade() -> None:
    op.drop_table("event_news")
    op.drop_index("ix_webhook_delivery_waiting", "webhook_delivery")
    op.drop_index(op.f("ix_webhook_delivery_webhook_id_id"), "webhook_delivery")
    op.create_index(op.f("ix_webhook_delivery_webhook_id"), "webhook_delivery", ["webhook_id"])
    op.create_index(op.f("ix_webhook_delivery_next_attempt_at"), "webhook_delivery", ["next_attempt_at"])
    op.drop_column("webhook", "free_at")
    op.drop_column("webhook", "failures")
