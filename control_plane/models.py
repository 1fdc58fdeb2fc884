"""The tables: columns and the constraints that the database enforces. Rules are in the modules of the concepts."""

from datetime import datetime
from typing import Any
from uuid import uuid4

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ColumnElement,
    Computed,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Text,
    UniqueConstraint,
    and_,
    exists,
    func,
    select,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, column_property, mapped_column

from control_plane.db.canonical_code import CanonicalCode
from control_plane.db.database import UtcDateTime

_NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}
UUID = String(36)
# SQLite numbers rows automatically only in a column of the exact type INTEGER; its integers have 64 bits.
COUNTED = BigInteger().with_variant(Integer, "sqlite")
# A sealed secret. SQLite does not enforce the length of a text, so its columns have kept their old type.
SEALED = Text().with_variant(String(64), "sqlite")
_WHERE_REVOKED: dict[str, Any] = {
    "sqlite_where": text("is_revoked IS 1"),
    "postgresql_where": text("is_revoked IS true"),
}
_WHERE_REDEEMED: dict[str, Any] = {
    "sqlite_where": text("redeemed_at IS NOT NULL"),
    "postgresql_where": text("redeemed_at IS NOT NULL"),
}


def new_id() -> str:
    return str(uuid4())


class Base(DeclarativeBase):
    metadata = MetaData(naming_convention=_NAMES)
    type_annotation_map: dict[Any, Any] = {datetime: UtcDateTime}  # noqa: RUF012 - SQLAlchemy's own hook


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
    end_reason: Mapped[str | None] = mapped_column(String(16))

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


class RevocationChange(Base):
    """The feed: the last change about each subject, in commit order. `n` never repeats, even after a delete."""

    __tablename__ = "revocation_change"

    n: Mapped[int] = mapped_column(COUNTED, primary_key=True, autoincrement=True)
    kind: Mapped[str] = mapped_column(String(8))
    subject: Mapped[str] = mapped_column(String(64))
    revoked: Mapped[bool]
    not_before: Mapped[int | None] = mapped_column(BigInteger)
    at: Mapped[datetime]
    expires_at: Mapped[datetime]
    until: Mapped[datetime | None]

    __table_args__ = (
        UniqueConstraint("kind", "subject"),
        Index(None, "expires_at"),
        {"sqlite_autoincrement": True},
    )


class FeedEpoch(Base):
    """One row: the name of this log's history. Restoring a backup changes it."""

    __tablename__ = "feed_epoch"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    epoch: Mapped[str] = mapped_column(String(16))


class FeedMark(Base):
    """A random word that identifies the log's history from `n` up to the next mark; one per append."""

    __tablename__ = "feed_mark"

    n: Mapped[int] = mapped_column(COUNTED, primary_key=True, autoincrement=False)
    mark: Mapped[str] = mapped_column(String(16))


class SealCheck(Base):
    """One row: a sample sealed with the key of this database's secrets, to check whether a key is the right one."""

    __tablename__ = "seal_check"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    sample: Mapped[str] = mapped_column(Text)


class Edge(Base):
    """The latest receipt of a sidecar (`instance`) of an edge (`name`): what it had in force at its last request."""

    __tablename__ = "edge"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    instance: Mapped[str] = mapped_column(String(64), primary_key=True)
    epoch: Mapped[str] = mapped_column(String(16))
    acknowledged: Mapped[int] = mapped_column(BigInteger)
    heard_at: Mapped[datetime]
    lag: Mapped[float | None]
