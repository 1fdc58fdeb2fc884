"""Admin passwords: argon2id hashes, and never more than a few at work at once (each takes 64 MiB).

Nor may a flood of sign-ins pile up behind those few: who finds too many waiting is sent away.
"""

from collections.abc import Callable
from functools import cache
from typing import Final, TypeVar

import anyio
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from control_plane.refusals import TooBusy

T = TypeVar("T")

MOST_AT_ONCE: Final = 2
MOST_WAITING: Final = 20  # two seconds' worth of them on a slow machine
_TRY_AGAIN_SECONDS: Final = 3
_HASHER: Final = PasswordHasher()


def hash_password(password: str) -> str:
    """Hash here and now; for commands."""
    return _HASHER.hash(password)


class PasswordChecker:
    """Checks and hashes passwords in threads, a few at a time. Every method raises TooBusy."""

    def __init__(self, hasher: PasswordHasher = _HASHER) -> None:
        self._hasher = hasher
        self._limiter = anyio.CapacityLimiter(MOST_AT_ONCE)
        self._inside = 0  # at work or waiting

    async def matches(self, password: str, password_hash: str | None) -> bool:
        """Tell whether the password is right; takes the same time when there is no such user (None)."""

        def verify() -> bool:
            return _verify(self._hasher, password_hash or _of_nobody(self._hasher), password)

        return await self._in_turn(verify) and password_hash is not None

    async def hash(self, password: str) -> str:
        return await self._in_turn(lambda: self._hasher.hash(password))

    async def renewed(self, password: str, password_hash: str) -> str | None:
        """Give a right password's new hash where the old one was made with other parameters than today's."""
        return await self.hash(password) if self._hasher.check_needs_rehash(password_hash) else None

    async def _in_turn(self, work: Callable[[], T]) -> T:
        # Counted here: the limiter sees who waits only a turn of the loop later, when a hundred have come at once.
        if self._inside >= MOST_AT_ONCE + MOST_WAITING:
            raise TooBusy(_TRY_AGAIN_SECONDS)
        self._inside += 1
        try:
            return await anyio.to_thread.run_sync(work, limiter=self._limiter)
        finally:
            self._inside -= 1


@cache
def _of_nobody(hasher: PasswordHasher) -> str:
    """Give what an unknown user's password is checked against, so that it takes as long as a known one's."""
    return hasher.hash("a password that nobody has")


def _verify(hasher: PasswordHasher, password_hash: str, password: str) -> bool:
    try:
        return hasher.verify(password_hash, password)
    except (VerificationError, InvalidHashError):
        return False
