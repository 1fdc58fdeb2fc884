"""Events, their posters, and what was reported about them."""

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, LargeBinary, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from control_plane.tables.base import UUID, Base, new_id


class Event(Base):
    """Something to watch: a time window and one stream folder, `/streams/<id>/`."""

    __tablename__ = "event"

    id: Mapped[str] = mapped_column(UUID, primary_key=True, default=new_id)
    title: Mapped[str] = mapped_column(String(200))
    description: Mapped[str | None] = mapped_column(Text)
    stream_url: Mapped[str | None] = mapped_column(Text)
    # Credentials for that origin, sealed: a header as "Name: value", and a query.
    origin_header: Mapped[str | None] = mapped_column(Text)
    origin_query: Mapped[str | None] = mapped_column(Text)
    poster_url: Mapped[str | None] = mapped_column(Text)
    poster_digest: Mapped[str | None] = mapped_column(String(32))  # of the uploaded poster, if there is one
    starts_at: Mapped[datetime]
    ends_at: Mapped[datetime]
    access_window_hours: Mapped[int] = mapped_column(default=48)
    is_active: Mapped[bool] = mapped_column(default=True)
    is_archived: Mapped[bool] = mapped_column(default=False)
    # `hold_until_start` keeps the doors closed until the start. `doors` overrides it: "open" or "closed".
    hold_until_start: Mapped[bool] = mapped_column(default=True)
    doors: Mapped[str | None] = mapped_column(String(8))
    session_policy: Mapped[str] = mapped_column(String(16), default="refuse")
    max_devices: Mapped[int] = mapped_column(default=1)
    # Tokens issued before this second are refused: set when a deactivation is lifted.
    tokens_not_before: Mapped[int] = mapped_column(BigInteger, default=0)
    deactivated_at: Mapped[datetime | None]
    version: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]

    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012 - SQLAlchemy's own hook
    __table_args__ = (
        CheckConstraint("access_window_hours BETWEEN 1 AND 168", "access_window"),
        CheckConstraint("max_devices BETWEEN 1 AND 10", "max_devices"),
        CheckConstraint("starts_at < ends_at", "window"),
        CheckConstraint("doors IN ('open', 'closed')", "doors"),
        CheckConstraint("session_policy IN ('refuse', 'takeover')", "session_policy"),
        Index(None, "starts_at"),
    )


class Poster(Base):
    """An event's uploaded poster, as rendered by posters.py."""

    __tablename__ = "poster"

    event_id: Mapped[str] = mapped_column(ForeignKey("event.id"), primary_key=True)
    content: Mapped[bytes] = mapped_column(LargeBinary)


class EventNews(Base):
    """The start or end of an event that was reported: each once, by whichever process noticed it first."""

    __tablename__ = "event_news"

    event_id: Mapped[str] = mapped_column(ForeignKey("event.id", ondelete="CASCADE"), primary_key=True)
    topic: Mapped[str] = mapped_column(String(48), primary_key=True)
    at: Mapped[datetime]


class EventTrouble(Base):
    """A stream that is in trouble now: reported once, by whichever process noticed it first.

    `faults` is JSON. `seen_at` is when a process last saw any of the faults.
    """

    __tablename__ = "event_trouble"

    event_id: Mapped[str] = mapped_column(ForeignKey("event.id", ondelete="CASCADE"), primary_key=True)
    since: Mapped[datetime]
    seen_at: Mapped[datetime]
    faults: Mapped[str] = mapped_column(Text)
