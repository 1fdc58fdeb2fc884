"""Webhooks, and the outbox of their deliveries."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from control_plane.jobs.leases import Leasable
from control_plane.tables.base import COUNTED, SEALED, UUID, Base, new_id


class Webhook(Leasable, Base):
    """A server that is notified of what happens; `topics` is words separated by spaces."""

    __tablename__ = "webhook"

    id: Mapped[str] = mapped_column(UUID, primary_key=True, default=new_id)
    url: Mapped[str] = mapped_column(Text)
    secret: Mapped[str] = mapped_column(SEALED)
    topics: Mapped[str] = mapped_column(String(400))
    is_active: Mapped[bool] = mapped_column(default=True)
    created_at: Mapped[datetime]
    failures: Mapped[int] = mapped_column(default=0)  # consecutive


class WebhookDelivery(Base):
    """The outbox: a message to a webhook, written in the transaction of the change that it reports."""

    __tablename__ = "webhook_delivery"

    id: Mapped[int] = mapped_column(COUNTED, primary_key=True, autoincrement=True)
    webhook_id: Mapped[str] = mapped_column(ForeignKey("webhook.id", ondelete="CASCADE"))
    topic: Mapped[str] = mapped_column(String(48))
    body: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime]
    attempts: Mapped[int] = mapped_column(default=0)
    next_attempt_at: Mapped[datetime | None]  # None: nothing left to do
    delivered_at: Mapped[datetime | None]
    last_status: Mapped[int | None]
    last_error: Mapped[str | None] = mapped_column(String(200))

    __table_args__ = (
        Index(None, "webhook_id", "id"),
        Index(
            "ix_webhook_delivery_waiting",
            "webhook_id",
            "next_attempt_at",
            sqlite_where=text("next_attempt_at IS NOT NULL"),
            postgresql_where=text("next_attempt_at IS NOT NULL"),
        ),
    )
