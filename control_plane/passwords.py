"""Admin passwords: argon2id hashes, and never more than a few checks at once (each takes 64 MiB)."""

from typing import Final

import anyio
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

_HASHER: Final = PasswordHasher()
_CONCURRENT_CHECKS: Final = 2
# What an unknown user's password is checked against, so that it takes as long as a known one's.
_NOBODY: Final = _HASHER.hash("a password that nobody has")


def hash_password(password: str) -> str:
    return _HASHER.hash(password)


class PasswordChecker:
    """Checks passwords in threads, a few at a time: more would let strangers fill the memory."""

    def __init__(self) -> None:
        self._limiter = anyio.CapacityLimiter(_CONCURRENT_CHECKS)

    async def matches(self, password: str, password_hash: str | None) -> bool:
        """Tell whether the password is right; takes the same time when there is no such user (None)."""
        right = await anyio.to_thread.run_sync(_verify, password_hash or _NOBODY, password, limiter=self._limiter)
        return right and password_hash is not None


def _verify(password_hash: str, password: str) -> bool:
    try:
        return _HASHER.verify(password_hash, password)
    except (VerificationError, InvalidHashError):
        return False
