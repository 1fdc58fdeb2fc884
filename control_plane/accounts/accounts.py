"""Admin accounts and their sessions."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from control_plane.access import audit
from control_plane.access.actors import ROLE_PERMISSIONS, Actor, ActorKind, Role
from control_plane.access.audit import About
from control_plane.access.audited_change import Action
from control_plane.digests import digest
from control_plane.errors import FieldRefused, NotFound
from control_plane.tables import AdminSession, AdminUser

SESSION_HOURS: Final = 8
WRONG_PASSWORD: Final = "This is not your password."  # noqa: S105 - a sentence


@dataclass(frozen=True, slots=True)
class Client:
    """The address and the browser that a user signs in from."""

    address: str
    user_agent: str


async def has_any(db: AsyncSession) -> bool:
    return bool(await db.scalar(select(func.count()).select_from(AdminUser)))


async def ensure_owner(db: AsyncSession, password_hash: str, now: datetime) -> None:
    """Create the owner `admin` if there is no account at all."""
    if await has_any(db):
        return
    db.add(AdminUser(username="admin", password_hash=password_hash, role=Role.OWNER, created_at=now))
    about = About("admin", detail={"role": Role.OWNER.value, "by": "ADMIN_PASSWORD_HASH"})
    audit.record(db, Actor.system(), Action.USER_CREATE.word, now, about)


async def find(db: AsyncSession, username: str, *, lock: bool = False) -> AdminUser | None:
    """Return the user with this name, ignoring case, or None."""
    query = select(AdminUser).where(AdminUser.username == _normalised(username))
    return await db.scalar(query.with_for_update() if lock else query)


async def hash_in_use(db: AsyncSession, username: str) -> str | None:
    """Return the hash of some user, for one name always of the same user; None while there is no account.

    The choice depends on what only the database knows, so that nobody who tries names can tell which hash stands in
    for that of an unknown user.
    """
    name, hashes = _normalised(username), await db.scalars(select(AdminUser.password_hash))
    return max(hashes, key=lambda each: digest(f"{each} {name}"), default=None)


async def get(db: AsyncSession, user_id: str, *, lock: bool = False) -> AdminUser:
    """Return the user. Raise NotFound."""
    user = await db.get(AdminUser, user_id, with_for_update=lock, populate_existing=lock)
    if user is None:
        raise NotFound
    return user


async def begin_session(db: AsyncSession, user_id: str, client: Client, now: datetime) -> str:
    """Sign the user in. Return the secret for the cookie; only its digest is stored."""
    secret = secrets.token_urlsafe(32)
    expires_at = now + timedelta(hours=SESSION_HOURS)
    await db.execute(delete(AdminSession).where(AdminSession.expires_at < now))
    db.add(
        AdminSession(
            token_hash=digest(secret),
            user_id=user_id,
            address=client.address,
            user_agent=client.user_agent[:400],
            created_at=now,
            expires_at=expires_at,
        )
    )
    await db.execute(update(AdminUser).where(AdminUser.id == user_id).values(last_sign_in_at=now))
    return secret


async def actor_of_session(db: AsyncSession, secret: str, address: str, now: datetime) -> Actor | None:
    """Return the actor that is signed in with this cookie, or None."""
    is_alive = AdminSession.token_hash == digest(secret), AdminSession.expires_at > now, AdminUser.is_active
    query = select(AdminUser, AdminSession.id).join(AdminSession, AdminSession.user_id == AdminUser.id)
    row = (await db.execute(query.where(*is_alive))).one_or_none()
    return None if row is None else actor_of_user(row[0], address, row[1])


def actor_of_user(user: AdminUser, address: str, session_id: str | None = None) -> Actor:
    role = Role(user.role)
    return Actor(ActorKind.USER, user.username, ROLE_PERMISSIONS[role], address, user.id, role, session_id)


async def sessions_of(db: AsyncSession, user_id: str, now: datetime) -> Sequence[AdminSession]:
    """Return the sessions of a user that have not expired, newest first."""
    query = select(AdminSession).where(AdminSession.user_id == user_id, AdminSession.expires_at > now)
    return (await db.scalars(query.order_by(AdminSession.created_at.desc(), AdminSession.id))).all()


async def end_session(db: AsyncSession, session_id: str | None) -> None:
    await db.execute(delete(AdminSession).where(AdminSession.id == session_id))


async def end_own_session(db: AsyncSession, user_id: str, session_id: str) -> None:
    """End one of a user's own sessions. Raise NotFound if it is not theirs."""
    mine = AdminSession.user_id == user_id, AdminSession.id == session_id
    if await db.scalar(delete(AdminSession).where(*mine).returning(AdminSession.id)) is None:
        raise NotFound


async def end_sessions(db: AsyncSession, user_id: str, but: str | None = None) -> int:
    """End all sessions of a user except `but`; return how many were ended."""
    others = AdminSession.user_id == user_id, AdminSession.id != (but or "")
    return len((await db.scalars(delete(AdminSession).where(*others).returning(AdminSession.id))).all())


async def change_own_password(db: AsyncSession, user_id: str, proven: str, password_hash: str) -> None:
    """Change a user's password and end all of their sessions.

    `proven` is the hash that the current password was checked against: raise FieldRefused if it has changed since.
    """
    user = await get(db, user_id, lock=True)
    check_proof(user, proven, "currentPassword")
    await set_password(db, user, password_hash)


async def set_password(db: AsyncSession, user: AdminUser, password_hash: str) -> None:
    user.password_hash = password_hash
    await end_sessions(db, user.id)


def check_proof(user: AdminUser, proven: str, field: str) -> None:
    """Raise FieldRefused if the password was changed since it was checked."""
    if user.password_hash != proven:
        raise FieldRefused(field, WRONG_PASSWORD)


def _normalised(username: str) -> str:
    """Return a user name as it is stored. No name contains NUL, and PostgreSQL refuses it, so it becomes a space."""
    return username.strip().lower().replace("\0", " ")
