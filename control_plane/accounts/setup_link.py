"""The set-up link: its holder can create the first owner, once, while there is no account.

Its token must not appear in a log or a request line: it is in the link's fragment, in a file that only the service's
user can read, and hashed in the database.
"""

import secrets
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import structlog
from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from authz_sidecar.contract.whole_files import replacing
from control_plane.access import audit
from control_plane.access.actors import Actor, Role
from control_plane.access.audit import About
from control_plane.access.audited_change import Action
from control_plane.accounts import accounts
from control_plane.clock import utc_now
from control_plane.db.database import Database, Lock, hold
from control_plane.digests import digest
from control_plane.errors import Conflict, SetupLinkUnusable
from control_plane.tables import AdminUser, SetupLink

PATH: Final = "/admin/setup"
LIFE: Final = timedelta(hours=24)
_SECRET_BYTES: Final = 32
_ACCOUNT_EXISTS: Final = "An account already exists. Please sign in."
log = structlog.get_logger()


def link(origin: str, token: str) -> str:
    return f"{origin}{PATH}#{token}"


async def make(db: AsyncSession, now: datetime) -> str:
    """Return a new token; earlier ones stay valid. Raise Conflict if there is an account."""
    await hold(db, Lock.FIRST_OWNER)
    if await accounts.has_any(db):
        raise Conflict(_ACCOUNT_EXISTS)
    await db.execute(delete(SetupLink).where(SetupLink.expires_at <= now))
    token = secrets.token_urlsafe(_SECRET_BYTES)
    db.add(SetupLink(token_hash=digest(token), expires_at=now + LIFE))
    return token


async def check(db: AsyncSession, token: str, now: datetime) -> None:
    """Raise Conflict if there is an account, SetupLinkUnusable if the token is wrong or expired."""
    if await accounts.has_any(db):
        raise Conflict(_ACCOUNT_EXISTS)
    is_valid = SetupLink.token_hash == digest(token), SetupLink.expires_at > now
    if await db.scalar(select(SetupLink.token_hash).where(*is_valid)) is None:
        raise SetupLinkUnusable


async def redeem(db: AsyncSession, token: str, username: str, password_hash: str, now: datetime) -> AdminUser:
    """Create the first owner and delete all links. Raise Conflict or SetupLinkUnusable."""
    await hold(db, Lock.FIRST_OWNER)
    await check(db, token, now)
    owner = AdminUser(username=username, password_hash=password_hash, role=Role.OWNER, created_at=now)
    db.add(owner)
    await db.execute(delete(SetupLink))
    await db.flush()
    return owner


async def offer(database: Database, file: Path | None, origin: str) -> None:
    """Write a new link to the file while there is no account; remove the file once there is one."""
    async with database.read() as db:
        is_needed = not await accounts.has_any(db)
    if not is_needed:
        withdraw(file)
    elif file is None:
        log.warning("no_account", fix="`streamgate setup-link` prints a link to make one")
    else:
        await _write_new(database, file, origin)


def withdraw(file: Path | None) -> None:
    """Remove the file, if there is one; its link is no longer valid."""
    try:
        if file:
            file.unlink(missing_ok=True)
    except OSError as error:
        log.warning("setup_link_not_removed", file=str(file), error=type(error).__name__)


async def _write_new(database: Database, file: Path, origin: str) -> None:
    try:
        async with database.write() as db:
            now = utc_now()
            token = await make(db, now)
            audit.record(db, Actor.system(), Action.SETUP_LINK_CREATE.word, now, About())
            with replacing(file) as writer:
                writer.write(f"{link(origin, token)}\n".encode())
    except Conflict:  # an account was created in the meantime
        return
    except OSError as error:
        log.error("setup_link_not_written", file=str(file), error=type(error).__name__)
    else:
        log.warning("setup_link_written", file=str(file))
