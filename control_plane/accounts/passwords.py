"""Admin passwords: argon2id hashes, and never more than a few at work at once (each takes 64 MiB).

Nor may a flood of sign-ins pile up behind those few: who finds too many waiting is sent away.
"""

from collections.abc import Callable
from typing import Final, TypeVar

import anyio
from argon2 import Parameters, PasswordHasher, Type, extract_parameters
from argon2.exceptions import InvalidHashError, VerificationError, VerifyMismatchError

from control_plane.errors import TooBusy

T = TypeVar("T")

MOST_AT_ONCE: Final = 2
MOST_WAITING: Final = 20  # two seconds' worth of them on a slow machine
_TRY_AGAIN_SECONDS: Final = 3
_MOST_MEMORY: Final = 256 * 1024  # KiB
_MOST_PASSES: Final = 16
_MOST_THREADS: Final = 64
_WHOLE: Final = 32  # bytes, as nearly everybody's are: one that is shorter was cut off on its way
_LONGEST: Final = 200  # characters, which is what the database has room for
_NO_HASH: Final = "must be an argon2id hash, whole, as `streamgate hash-password` prints it"
_TOO_DEAR: Final = f"takes more than {_MOST_MEMORY // 1024} MiB, {_MOST_PASSES} passes or {_MOST_THREADS} threads"
_NOTHING: Final = f"{'A' * 22}${'A' * 43}"  # a salt and a digest of zeros
_HASHER: Final = PasswordHasher()


def hash_password(password: str) -> str:
    """Hash here and now; for commands."""
    return _HASHER.hash(password)


def check_hash(password_hash: str) -> None:
    """Raise ValueError, without a word of the hash, when nobody could sign in with it or it costs too much."""
    try:
        used = extract_parameters(password_hash)
    except InvalidHashError:
        raise ValueError(_NO_HASH) from None
    if _is_too_dear(used):
        raise ValueError(_TOO_DEAR)
    is_whole = used.hash_len >= _WHOLE and len(password_hash) <= _LONGEST
    if used.type is not Type.ID or not is_whole or not _can_be_read(password_hash):
        raise ValueError(_NO_HASH)


class PasswordChecker:
    """Checks and hashes passwords in threads, a few at a time. Every method raises TooBusy."""

    def __init__(self, hasher: PasswordHasher = _HASHER) -> None:
        self._hasher = hasher
        self._limiter = anyio.CapacityLimiter(MOST_AT_ONCE)
        self._inside = 0  # at work or waiting

    async def matches(self, password: str, password_hash: str | None, in_use: str | None = None) -> bool:
        """Tell whether the password is right.

        When there is no such user (None) it takes as long as a user's does whose hash is `in_use`.
        """
        checked = password_hash or _of_nobody(self._hasher, in_use)
        return await self._in_turn(lambda: _verify(self._hasher, checked, password)) and password_hash is not None

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


def _of_nobody(hasher: PasswordHasher, in_use: str | None) -> str:
    """Give what an unknown user's password is checked against: a hash in use, with a digest that no password has.

    Nothing is hashed for it, or the first one who asks would wait twice as long.
    """
    if in_use is None:
        in_use = f"$argon2id$v=19$m={hasher.memory_cost},t={hasher.time_cost},p={hasher.parallelism}${_NOTHING}"
    parameters_and_salt, _, digest = in_use.rpartition("$")
    return f"{parameters_and_salt}${'A' * len(digest)}"


def _verify(hasher: PasswordHasher, password_hash: str, password: str) -> bool:
    try:
        return hasher.verify(password_hash, password)
    except (VerificationError, InvalidHashError):
        return False


def _is_too_dear(used: Parameters) -> bool:
    return used.memory_cost > _MOST_MEMORY or used.time_cost > _MOST_PASSES or used.parallelism > _MOST_THREADS


def _can_be_read(password_hash: str) -> bool:
    """Ask argon2 itself, which alone knows all that makes a hash one."""
    try:
        return _HASHER.verify(password_hash, "")
    except VerifyMismatchError:
        return True
    except (VerificationError, ValueError):
        return False
