"""Accounts of the staff, how they sign in, and API keys."""

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from control_plane.tables.base import SEALED, UUID, Base, new_id


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
