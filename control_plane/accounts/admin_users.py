"""Account management by owners. An active owner always remains, and nobody changes their own role or access.

A change that takes something away from a user also ends their sessions.
"""

import secrets
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import Select, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from control_plane.access.actors import Role
from control_plane.accounts import accounts, second_factor
from control_plane.db.database import Lock, hold
from control_plane.errors import Conflict
from control_plane.tables import AdminUser

_PASSWORD_BYTES: Final = 15


def new_password() -> str:
    """Return a random password of 20 characters."""
    return secrets.token_urlsafe(_PASSWORD_BYTES)


async def page(db: AsyncSession, offset: int, limit: int) -> tuple[Sequence[AdminUser], int]:
    """Return one page of users by name, and how many there are in all."""
    total = await db.scalar(select(func.count()).select_from(AdminUser))
    found = await db.scalars(select(AdminUser).order_by(AdminUser.username).offset(offset).limit(limit))
    return found.all(), total or 0


async def create(db: AsyncSession, username: str, role: Role, password_hash: str, now: datetime) -> AdminUser:
    """Add an account. Raise Conflict if the name is taken."""
    user = AdminUser(username=username, role=role, password_hash=password_hash, created_at=now, is_active=True)
    db.add(user)
    try:
        await db.flush()
    except IntegrityError:
        raise Conflict("A user with this name already exists.") from None
    return user


async def change_role(db: AsyncSession, user_id: str, role: Role) -> AdminUser:
    """Change what a user may do, and end their sessions. Raise NotFound, or Conflict for the last owner."""
    user = await _lock(db, user_id)
    if user.role == role:
        return user
    await _check_an_owner_is_left(db, user)
    user.role = role
    await accounts.end_sessions(db, user.id)
    return user


async def deactivate(db: AsyncSession, user_id: str) -> AdminUser:
    """Prevent a user from signing in, and end their sessions. Raise NotFound, or Conflict for the last owner."""
    user = await _lock(db, user_id)
    if user.is_active:
        await _check_an_owner_is_left(db, user)
    user.is_active = False
    await accounts.end_sessions(db, user.id)
    return user


async def reactivate(db: AsyncSession, user_id: str) -> AdminUser:
    """Allow a user to sign in again, with the same password and second factor as before. Raise NotFound."""
    user = await _lock(db, user_id)
    user.is_active = True
    return user


async def reset_password(db: AsyncSession, user_id: str, owner_id: str | None, password_hash: str) -> AdminUser:
    """Set the password of another user, and end their sessions. Raise NotFound, or Conflict for the owner's own."""
    user = await _lock_another(db, user_id, owner_id)
    await accounts.set_password(db, user, password_hash)
    return user


async def reset_second_factor(db: AsyncSession, user_id: str, owner_id: str | None) -> AdminUser:
    """Remove another user's second factor, and end their sessions. Raise NotFound, or Conflict for the owner's own."""
    user = await _lock_another(db, user_id, owner_id)
    await second_factor.remove(db, user)
    await accounts.end_sessions(db, user.id)
    return user


async def _lock_another(db: AsyncSession, user_id: str, owner_id: str | None) -> AdminUser:
    """Lock and return a user other than the owner: a stolen session must not bypass the check of the password."""
    user = await _lock(db, user_id)
    if user.id == owner_id:
        raise Conflict("This is your own account. Use /api/admin/account, which asks for your password.")
    return user


async def _lock(db: AsyncSession, user_id: str) -> AdminUser:
    """Take the lock for changes of owners, then lock the user: if two owners remove each other, one remains.

    Locking the rows of the owners instead would not do: a user who has just lost the role is not among them any more,
    and would be locked out of order.
    """
    await hold(db, Lock.OWNERS)
    return await accounts.get(db, user_id, lock=True)


async def _check_an_owner_is_left(db: AsyncSession, user: AdminUser) -> None:
    """Raise Conflict if this user is the last active owner."""
    if user.role != Role.OWNER or not user.is_active:
        return
    others = await db.scalars(_active_owners().where(AdminUser.id != user.id).limit(1))
    if others.first() is None:
        raise Conflict("This is the last active owner. Make somebody else an owner first.")


def _active_owners() -> Select[str]:
    return select(AdminUser.id).where(AdminUser.role == Role.OWNER, AdminUser.is_active)
