"""The tables of the administration: accounts, API keys, the audit log, and webhooks."""

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from control_plane.jobs.leases import Leasable
from control_plane.models import COUNTED, SEALED, UUID, Base, new_id


class AdminUser(Base):
    """A user who signs in. `totp_step` is the last time step whose code was used: no code is accepted twice."""

    __tablename__ = "admin_user"

    id: Mapped[str] = mapped_column(UUID, primary_key=True, default=new_id)
    username: Mapped[str] = mapped_column(String(64), unique=True)
    password_hash: Mapped[str] = mapped_column(String(200))
    role: Mapped[str] = mapped_column(String(16))
    is_active: Mapped[bool] = mapped_column(default=True)
    totp_secret: Mapped[str | None] = mapped_column(SEALED)
    totp_step: Mapped[int | None] = mapped_column(BigInteger)
    created_at: Mapped[datetime]
    last_sign_in_at: Mapped[datetime | None]

    __table_args__ = (CheckConstraint("role IN ('owner', 'admin', 'operator')", "role"),)


class RecoveryCode(Base):
    """Signs in once in place of a TOTP code. Stored hashed, deleted when used."""

    __tablename__ = "recovery_code"

    code_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("admin_user.id", ondelete="CASCADE"), index=True)


class AdminSession(Base):
    """A signed-in admin. The cookie's value is stored hashed; `id` is the session's public name, used to end it."""

    __tablename__ = "admin_session"

    token_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    id: Mapped[str] = mapped_column(UUID, unique=True, default=new_id)
    user_id: Mapped[str] = mapped_column(ForeignKey("admin_user.id"), index=True)
    address: Mapped[str] = mapped_column(String(45), default="")
    user_agent: Mapped[str] = mapped_column(String(400), default="")
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime] = mapped_column(index=True)


class SetupLink(Base):
    """A link whose holder can choose the first owner's password, once, while there is no account."""

    __tablename__ = "setup_link"

    token_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    expires_at: Mapped[datetime]


class ApiKey(Base):
    """A program's key, stored hashed. `shown` is its first characters, `scopes` is words separated by spaces.

    Names are unique among the keys in use; the name of a revoked key can be used again.
    """

    __tablename__ = "api_key"

    id: Mapped[str] = mapped_column(UUID, primary_key=True, default=new_id)
    name: Mapped[str] = mapped_column(String(100))
    key_hash: Mapped[str] = mapped_column(String(64), unique=True)
    shown: Mapped[str] = mapped_column(String(16))
    scopes: Mapped[str] = mapped_column(String(64))
    created_by: Mapped[str] = mapped_column(String(100))
    created_at: Mapped[datetime]
    last_used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]

    __table_args__ = (
        Index(
            "uq_api_key_name_in_use",
            "name",
            unique=True,
            sqlite_where=text("revoked_at IS NULL"),
            postgresql_where=text("revoked_at IS NULL"),
        ),
    )


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
