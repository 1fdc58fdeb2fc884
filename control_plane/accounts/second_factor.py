"""A user's second factor: a code from an authenticator app, or one of ten recovery codes if the phone is lost.

A secret is in force once a code has confirmed it, which sets `totp_step`. No code is accepted twice.
"""

import re
import secrets
from datetime import datetime
from typing import Final

from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from control_plane.accounts import totp
from control_plane.db.sealing import SealBroken, sealer_of
from control_plane.digests import digest
from control_plane.errors import Conflict, FieldRefused
from control_plane.tables import AdminUser, RecoveryCode

RECOVERY_CODES: Final = 10
_ALPHABET: Final = "abcdefghjkmnpqrstuvwxyz23456789"  # no look-alike characters
_RECOVERY_CODE_LENGTH: Final = 16  # 79 bits: too many to search for the code of a digest
_GROUP: Final = 4
_TOTP_CODE: Final = re.compile(rf"\d{{{totp.DIGITS}}}", re.ASCII)


def is_in_force(user: AdminUser) -> bool:
    return user.totp_secret is not None and user.totp_step is not None


async def begin(db: AsyncSession, user: AdminUser) -> str:
    """Set and return a secret that is in force once a code confirms it. Raise Conflict if one is in force already."""
    if is_in_force(user):
        raise Conflict("Authentication codes are already in use. Turn them off first.")
    secret = totp.new_secret()
    user.totp_secret = sealer_of(db).seal(secret)
    return secret


async def confirm(db: AsyncSession, user: AdminUser, code: str, now: datetime) -> list[str]:
    """Put the secret in force. Return the recovery codes; only their digests are stored.

    Raise Conflict if there is nothing to confirm, FieldRefused if the code is wrong.
    """
    if user.totp_secret is None or is_in_force(user):
        raise Conflict("There is nothing to confirm. Start by asking for a secret.")
    step = _matching_step(db, user.totp_secret, _normalised(code), now)
    if step is None:
        raise FieldRefused("code", "This code is wrong. Please enter the one that the app shows now.")
    user.totp_step = step
    codes = [_new_recovery_code() for _ in range(RECOVERY_CODES)]
    db.add_all(RecoveryCode(code_hash=_digest(user.id, code), user_id=user.id) for code in codes)
    return codes


async def accept(db: AsyncSession, user: AdminUser, code: str, now: datetime) -> bool:
    """Return whether the code is right, and mark it as used. The user's row must be locked."""
    if user.totp_secret is None or user.totp_step is None:
        return True
    normalised = _normalised(code)
    if not _TOTP_CODE.fullmatch(normalised):
        return await _use_recovery_code(db, user, normalised)
    step = _matching_step(db, user.totp_secret, normalised, now, after=user.totp_step)
    if step is not None:
        user.totp_step = step
    return step is not None


async def remove(db: AsyncSession, user: AdminUser) -> None:
    user.totp_secret = user.totp_step = None
    await db.execute(delete(RecoveryCode).where(RecoveryCode.user_id == user.id))


async def recovery_codes_left(db: AsyncSession, user_id: str) -> int:
    query = select(func.count()).select_from(RecoveryCode).where(RecoveryCode.user_id == user_id)
    return await db.scalar(query) or 0


def _matching_step(db: AsyncSession, sealed: str, code: str, now: datetime, after: int | None = None) -> int | None:
    """Return the time step of a code, or None. If the secret cannot be opened, only recovery codes work."""
    try:
        secret = sealer_of(db).open(sealed)
    except SealBroken:
        return None
    return totp.matching_step(secret, code, now, after)


async def _use_recovery_code(db: AsyncSession, user: AdminUser, normalised: str) -> bool:
    used = await db.execute(
        delete(RecoveryCode)
        .where(RecoveryCode.user_id == user.id, RecoveryCode.code_hash == _digest(user.id, normalised))
        .returning(RecoveryCode.code_hash)
    )
    return used.scalar_one_or_none() is not None


def _new_recovery_code() -> str:
    drawn = "".join(secrets.choice(_ALPHABET) for _ in range(_RECOVERY_CODE_LENGTH))
    return "-".join(drawn[start : start + _GROUP] for start in range(0, len(drawn), _GROUP))


def _normalised(code: str) -> str:
    """Return the code in lower case, without the spaces and hyphens that group it."""
    return re.sub(r"[\s-]", "", code).lower()


def _digest(user_id: str, code: str) -> str:
    return digest(f"{user_id} {_normalised(code)}")
