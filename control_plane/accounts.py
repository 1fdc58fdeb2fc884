"""Admin accounts and their sessions."""

import secrets
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Final

from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from control_plane.models import AdminSession, AdminUser

SESSION_HOURS: Final = 8


async def ensure_owner(db: AsyncSession, password_hash: str, now: datetime) -> None:
    """Make the owner `admin` when there is no account at all."""
    if not await db.scalar(select(func.count()).select_from(AdminUser)):
        db.add(AdminUser(username="admin", password_hash=password_hash, role="owner", created_at=now))


async def find(db: AsyncSession, username: str) -> AdminUser | None:
    return await db.scalar(select(AdminUser).where(AdminUser.username == username))


async def begin_session(db: AsyncSession, user: AdminUser, now: datetime) -> str:
    """Sign the user in; return the secret for the cookie, of which only the digest is kept."""
    secret = secrets.token_urlsafe(32)
    expires_at = now + timedelta(hours=SESSION_HOURS)
    await db.execute(delete(AdminSession).where(AdminSession.expires_at < now))
    db.add(AdminSession(token_hash=_digest(secret), user_id=user.id, created_at=now, expires_at=expires_at))
    return secret


async def user_of_session(db: AsyncSession, secret: str, now: datetime) -> AdminUser | None:
    query = (
        select(AdminUser)
        .join(AdminSession, AdminSession.user_id == AdminUser.id)
        .where(AdminSession.token_hash == _digest(secret), AdminSession.expires_at > now)
    )
    return await db.scalar(query)


async def end_session(db: AsyncSession, secret: str) -> None:
    await db.execute(delete(AdminSession).where(AdminSession.token_hash == _digest(secret)))


def _digest(secret: str) -> str:
    return sha256(secret.encode()).hexdigest()
