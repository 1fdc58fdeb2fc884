"""Admin passwords: argon2id hashes, computed only a few at a time (each takes 64 MiB).

A flood of sign-ins must not queue up behind those few: an attempt that finds too many waiting is refused.
"""

from collections.abc import Callable
from typing import Final, TypeVar

import anyio
from argon2 import Parameters, PasswordHasher, Type, extract_parameters
from argon2.exceptions import InvalidHashError, VerificationError, VerifyMismatchError

from control_plane.errors import TooBusy

T = TypeVar("T")

MOST_AT_ONCE: Final = 2
MOST_WAITING: Final = 20  # about two seconds of work on a slow machine
_TRY_AGAIN_SECONDS: Final = 3
_MOST_MEMORY: Final = 256 * 1024  # KiB
_MOST_PASSES: Final = 16
_MOST_THREADS: Final = 64
_DIGEST_BYTES: Final = 32  # the usual length: a shorter digest was most likely truncated
_LONGEST: Final = 200  # characters: the length of the database column
_NOT_A_HASH: Final = "must be a complete argon2id hash, as printed by `streamgate hash-password`"
_TOO_EXPENSIVE: Final = f"takes more than {_MOST_MEMORY // 1024} MiB, {_MOST_PASSES} passes or {_MOST_THREADS} threads"
_ZEROS: Final = f"{'A' * 22}${'A' * 43}"  # a salt and a digest of zeros
_HASHER: Final = PasswordHasher()


def hash_password(password: str) -> str:
    """Return the hash of a password, computed in the calling thread; for commands."""
    return _HASHER.hash(password)


def check_hash(password_hash: str) -> None:
    """Raise ValueError, without quoting the hash, if nobody could sign in with it or it is too expensive."""
    try:
        used = extract_parameters(password_hash)
    except InvalidHashError:
        raise ValueError(_NOT_A_HASH) from None
    if _is_too_expensive(used):
        raise ValueError(_TOO_EXPENSIVE)
    is_whole = used.hash_len >= _DIGEST_BYTES and len(password_hash) <= _LONGEST
    if used.type is not Type.ID or not is_whole or not _can_be_read(password_hash):
        raise ValueError(_NOT_A_HASH)


class PasswordChecker:
    """Checks and hashes passwords in threads, a few at a time. Every method raises TooBusy if too many wait."""

    def __init__(self, hasher: PasswordHasher = _HASHER) -> None:
        self._hasher = hasher
        self._limiter = anyio.CapacityLimiter(MOST_AT_ONCE)
        self._active = 0  # running or waiting

    async def matches(self, password: str, password_hash: str | None, in_use: str | None = None) -> bool:
        """Return whether the password is right.

        If there is no such user (`password_hash` is None), take as long as for the user whose hash is `in_use`.
        """
        checked = password_hash or _dummy_hash(self._hasher, in_use)
        return await self._run(lambda: _verify(self._hasher, checked, password)) and password_hash is not None

    async def hash(self, password: str) -> str:
        return await self._run(lambda: self._hasher.hash(password))

    async def renewed(self, password: str, password_hash: str) -> str | None:
        """Return a new hash for a right password if the old one has outdated parameters, else None."""
        return await self.hash(password) if self._hasher.check_needs_rehash(password_hash) else None

    async def _run(self, work: Callable[[], T]) -> T:
        # Counted here: the limiter sees waiters one iteration of the event loop later, too late for a hundred at once.
        if self._active >= MOST_AT_ONCE + MOST_WAITING:
            raise TooBusy(_TRY_AGAIN_SECONDS)
        self._active += 1
        try:
            return await anyio.to_thread.run_sync(work, limiter=self._limiter)
        finally:
            self._active -= 1


def _dummy_hash(hasher: PasswordHasher, in_use: str | None) -> str:
    """Return the hash to check for an unknown user: a hash in use, with a digest that no password has.

    It is not computed by hashing, because the first attempt would then take twice as long.
    """
    if in_use is None:
        in_use = f"$argon2id$v=19$m={hasher.memory_cost},t={hasher.time_cost},p={hasher.parallelism}${_ZEROS}"
    parameters_and_salt, _, digest = in_use.rpartition("$")
    return f"{parameters_and_salt}${'A' * len(digest)}"


def _verify(hasher: PasswordHasher, password_hash: str, password: str) -> bool:
    try:
        return hasher.verify(password_hash, password)
    except (VerificationError, InvalidHashError):
        return False


def _is_too_expensive(used: Parameters) -> bool:
    return used.memory_cost > _MOST_MEMORY or used.time_cost > _MOST_PASSES or used.parallelism > _MOST_THREADS


def _can_be_read(password_hash: str) -> bool:
    """Return whether argon2 accepts the hash; only the library itself knows the whole format."""
    try:
        return _HASHER.verify(password_hash, "")
    except VerifyMismatchError:
        return True
    except (VerificationError, ValueError):
        return False
