"""Viewing sessions, and the codes with which a TV gets one."""

from datetime import datetime

from sqlalchemy import BigInteger, ColumnElement, ForeignKey, Index, String, and_, exists, func, select, text
from sqlalchemy.orm import Mapped, column_property, mapped_column

from control_plane.end_reasons import EndReason
from control_plane.tables.base import Base


class LastSeen(Base):
    """When a live session was last seen. The row of an ended session has no meaning: see last_seen.py.

    No foreign key: it would be a fifth of the cost of a report, and deleting a session would wait for reports.
    """

    __tablename__ = "last_seen"

    sid: Mapped[str] = mapped_column(String(64), primary_key=True)
    at: Mapped[datetime]

    # Half of each page is kept free for the next report: PostgreSQL writes it there without touching the index.
    __table_args__ = ({"postgresql_with": {"fillfactor": 50}},)


class ViewingSession(Base):
    """One device watching on one ticket. The database enforces at most one live session per seat."""

    __tablename__ = "viewing_session"

    sid: Mapped[str] = mapped_column(String(64), primary_key=True)
    ticket_id: Mapped[str] = mapped_column(ForeignKey("ticket.id"), index=True)
    seat: Mapped[int]
    started_at: Mapped[datetime] = mapped_column()
    seen_until: Mapped[datetime | None] = mapped_column()  # set when it ends
    client_ip: Mapped[str] = mapped_column(String(45))
    user_agent: Mapped[str] = mapped_column(String(400))
    carrier: Mapped[str] = mapped_column(String(16), default="header")
    # For a TV: the resume hash of the browser that approved it.
    approved_by: Mapped[str | None] = mapped_column(String(64))
    resume_hash: Mapped[str | None] = mapped_column(String(64), index=True)
    # `iat` and `exp` of its newest token. They decide from when tokens are accepted again after a revocation was
    # lifted, and until when an entry of the feed must be kept.
    token_issued_at: Mapped[int] = mapped_column(BigInteger)
    token_expires_at: Mapped[int] = mapped_column(BigInteger)
    ended_at: Mapped[datetime | None]
    end_reason: Mapped[EndReason | None]

    last_seen_at: Mapped[datetime] = column_property(
        func.coalesce(
            seen_until,
            select(LastSeen.at).where(LastSeen.sid == sid).correlate_except(LastSeen).scalar_subquery(),
            started_at,
        ),
        expire_on_flush=False,
    )

    __table_args__ = (
        Index(
            "uq_viewing_session_live_seat",
            "ticket_id",
            "seat",
            unique=True,
            sqlite_where=text("ended_at IS NULL"),
            postgresql_where=text("ended_at IS NULL"),
        ),
        Index(None, "started_at"),
        Index(
            "ix_viewing_session_ended_at",
            "ended_at",
            sqlite_where=text("ended_at IS NOT NULL"),
            postgresql_where=text("ended_at IS NOT NULL"),
        ),
        # A refresh changes only the times of the token, which are not indexed: pages keep room for the new row version.
        {"postgresql_with": {"fillfactor": 70}},
    )


def is_watching(alive_since: datetime) -> ColumnElement[bool]:
    """Return the condition for viewing sessions that are watching: not ended, and seen after `alive_since`."""
    is_seen = exists().where(LastSeen.sid == ViewingSession.sid, LastSeen.at > alive_since)
    return and_(ViewingSession.ended_at.is_(None), is_seen.correlate_except(LastSeen))


class TvCode(Base):
    """A code that a TV shows and, once a viewer has approved it, the session that the TV may collect."""

    __tablename__ = "tv_code"

    device_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    user_code: Mapped[str] = mapped_column(String(16), unique=True)
    client_ip: Mapped[str] = mapped_column(String(45))
    user_agent: Mapped[str] = mapped_column(String(400))
    expires_at: Mapped[datetime]
    sid: Mapped[str | None] = mapped_column(String(64))

    __table_args__ = (Index(None, "expires_at"),)
