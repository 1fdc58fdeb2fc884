"""The revocation feed, and the receipts of the edges."""

from datetime import datetime

from sqlalchemy import BigInteger, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from control_plane.tables.base import COUNTED, Base


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


class Edge(Base):
    """The latest receipt of a sidecar (`instance`) of an edge (`name`): what it had in force at its last request."""

    __tablename__ = "edge"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    instance: Mapped[str] = mapped_column(String(64), primary_key=True)
    epoch: Mapped[str] = mapped_column(String(16))
    acknowledged: Mapped[int] = mapped_column(BigInteger)
    heard_at: Mapped[datetime]
    lag: Mapped[float | None]
