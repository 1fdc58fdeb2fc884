"""API keys: programs send one instead of signing in. Only a key's digest and its first characters are stored.

The time of a key's last use is written in the background, once a minute: reading with a key writes nothing.
"""

import secrets
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

import anyio
import structlog
from sqlalchemy import func, or_, select, update
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from control_plane.access.actors import SCOPE_PERMISSIONS, Actor, ActorKind, Permission, Scope
from control_plane.db.database import Database
from control_plane.digests import digest
from control_plane.errors import Conflict, NotFound
from control_plane.tables import ApiKey
from control_plane.tasks import every

PREFIX: Final = "sgk_"
_SECRET_BYTES: Final = 32
_SHOWN_LENGTH: Final = 8
_WRITE_EVERY_SECONDS: Final = 60
log = structlog.get_logger()


async def create(
    db: AsyncSession, name: str, scopes: Iterable[Scope], created_by: str, now: datetime
) -> tuple[ApiKey, str]:
    """Add a key; return it with its secret, which is not stored. Raise Conflict if the name is in use."""
    secret = PREFIX + secrets.token_urlsafe(_SECRET_BYTES)
    key = ApiKey(
        name=name,
        key_hash=digest(secret),
        shown=secret[:_SHOWN_LENGTH],
        scopes=" ".join(sorted(set(scopes))),
        created_by=created_by,
        created_at=now,
    )
    db.add(key)
    try:
        await db.flush()
    except IntegrityError:
        raise Conflict("A key with this name already exists. Revoke it first, or choose another name.") from None
    return key, secret


async def page(db: AsyncSession, offset: int, limit: int) -> tuple[Sequence[ApiKey], int]:
    """Return one page of keys, including revoked ones, newest first, and how many there are in all."""
    total = await db.scalar(select(func.count()).select_from(ApiKey))
    newest = ApiKey.created_at.desc(), ApiKey.id
    found = await db.scalars(select(ApiKey).order_by(*newest).offset(offset).limit(limit))
    return found.all(), total or 0


async def revoke(db: AsyncSession, key_id: str, now: datetime) -> ApiKey:
    """Revoke a key, unless it is revoked already. Raise NotFound."""
    key = await db.get(ApiKey, key_id, with_for_update=True)
    if key is None:
        raise NotFound
    key.revoked_at = key.revoked_at or now
    return key


async def actor_of_key(db: AsyncSession, secret: str, address: str) -> Actor | None:
    """Return the actor of this key, or None if it is unknown or revoked."""
    query = select(ApiKey).where(ApiKey.key_hash == digest(secret), ApiKey.revoked_at.is_(None))
    key = await db.scalar(query)
    if key is None:
        return None
    permissions = frozenset[Permission]().union(*(SCOPE_PERMISSIONS[scope] for scope in scopes_of(key)))
    return Actor(ActorKind.KEY, key.name, permissions, address, key.id)


def scopes_of(key: ApiKey) -> list[Scope]:
    return [Scope(word) for word in key.scopes.split()]


class LastUses:
    """The last uses of keys. They are written only while `run` is running."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._uses: dict[str, datetime] = {}

    def note(self, key_id: str, now: datetime) -> None:
        self._uses[key_id] = now

    def of(self, key: ApiKey) -> datetime | None:
        """Return the last use that this process knows of, else the stored one."""
        return self._uses.get(key.id, key.last_used_at)

    async def run(self, stop: anyio.Event) -> None:
        """Write every minute until `stop`, and once more then. Never cancel it: a transaction must be ended."""
        async for _ in every(_WRITE_EVERY_SECONDS, stop):
            await self._write()

    async def _write(self) -> None:
        """Write what was noted; keep what could not be written for the next time."""
        uses, self._uses = self._uses, {}
        if not uses:
            return
        try:
            async with self._database.write() as db:
                for key_id, moment in sorted(uses.items()):
                    is_newer = or_(ApiKey.last_used_at.is_(None), ApiKey.last_used_at < moment)
                    await db.execute(update(ApiKey).where(ApiKey.id == key_id, is_newer).values(last_used_at=moment))
        except SQLAlchemyError as error:
            self._uses = uses | self._uses
            log.error("key_uses_not_written", error=type(error).__name__)
