"""The audit log."""

from datetime import datetime

from sqlalchemy import Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from control_plane.tables.base import COUNTED, UUID, Base


class AuditEntry(Base):
    """One action that was done or refused. Entries are only added, and deleted when they are old enough.

    `ticket_id` and `event_id` make it part of their history. No column contains a code, password or token.
    """

    __tablename__ = "audit_entry"

    id: Mapped[int] = mapped_column(COUNTED, primary_key=True, autoincrement=True)
    at: Mapped[datetime]
    actor_kind: Mapped[str] = mapped_column(String(16))
    actor: Mapped[str] = mapped_column(String(100))
    address: Mapped[str | None] = mapped_column(String(45))
    action: Mapped[str] = mapped_column(String(48))
    outcome: Mapped[str] = mapped_column(String(32))
    subject: Mapped[str | None] = mapped_column(String(100))
    event_id: Mapped[str | None] = mapped_column(UUID)
    ticket_id: Mapped[str | None] = mapped_column(UUID, index=True)
    detail: Mapped[str | None] = mapped_column(Text)

    __table_args__ = (Index(None, "at"), Index(None, "action", "at"), Index(None, "actor", "at"))
