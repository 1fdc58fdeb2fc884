"""Tickets."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Computed, ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from control_plane.db.canonical_code import CanonicalCode
from control_plane.tables.base import UUID, Base, new_id

_WHERE_REVOKED: dict[str, Any] = {
    "sqlite_where": text("is_revoked IS 1"),
    "postgresql_where": text("is_revoked IS true"),
}


_WHERE_REDEEMED: dict[str, Any] = {
    "sqlite_where": text("redeemed_at IS NOT NULL"),
    "postgresql_where": text("redeemed_at IS NOT NULL"),
}


class Ticket(Base):
    """The right to watch one event until it expires. The code is its public name."""

    __tablename__ = "ticket"

    id: Mapped[str] = mapped_column(UUID, primary_key=True, default=new_id)
    code: Mapped[str] = mapped_column(String(64), unique=True)
    # The code as codes.canonical returns it, computed by the database.
    canonical: Mapped[str] = mapped_column(String(64), Computed(CanonicalCode()), index=True)
    event_id: Mapped[str] = mapped_column(ForeignKey("event.id"))
    label: Mapped[str | None] = mapped_column(String(200))
    is_revoked: Mapped[bool] = mapped_column(default=False)
    revoked_at: Mapped[datetime | None]
    redeemed_at: Mapped[datetime | None]
    redeemed_ip: Mapped[str | None] = mapped_column(String(45))
    expires_at: Mapped[datetime]
    # Tokens issued before this second are refused: set when a revocation is lifted.
    tokens_not_before: Mapped[int] = mapped_column(BigInteger, default=0)
    created_at: Mapped[datetime]

    # Lists are newest first, of all tickets or of one event; rows that may be rare among a million have indexes of
    # their own. The trigram index of codes and labels has no model: see migration 0004 and ticket_search.py.
    __table_args__ = (
        Index("ix_ticket_created_at_id", "created_at", "id"),
        Index("ix_ticket_event_id_created_at_id", "event_id", "created_at", "id"),
        Index("ix_ticket_revoked", "created_at", "id", **_WHERE_REVOKED),
        Index("ix_ticket_revoked_of_event", "event_id", "created_at", "id", **_WHERE_REVOKED),
        Index("ix_ticket_redeemed", "is_revoked", "created_at", "id", **_WHERE_REDEEMED),
        Index("ix_ticket_redeemed_of_event", "event_id", "is_revoked", "created_at", "id", **_WHERE_REDEEMED),
    )
