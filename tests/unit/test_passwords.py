"""Passwords: argon2id, and one answer for every kind of failure."""

from collections import Counter
from threading import Event, Lock
from typing import Literal

import anyio
import pytest
from argon2 import PasswordHasher

from control_plane.accounts.passwords import MOST_AT_ONCE, MOST_WAITING, PasswordChecker, hash_password
from control_plane.errors import TooBusy

pytestmark = pytest.mark.anyio
HASH = hash_password("correct horse")


def test_a_password_is_kept_as_argon2id_and_never_twice_the_same() -> None:
    assert HASH.startswith("$argon2id$")
    assert hash_password("correct horse") != HASH
    assert "correct" not in HASH


async def test_the_right_password_is_accepted() -> None:
    assert await PasswordChecker().matches("correct horse", HASH)


@pytest.mark.parametrize("password", ["wrong horse", "Correct horse", "correct horse ", "", "x" * 1000, "\0", "é"])
async def test_another_password_is_refused(password: str) -> None:
    assert not await PasswordChecker().matches(password, HASH)


async def test_an_account_without_a_password_accepts_no_password() -> None:
    assert not await PasswordChecker().matches("a password that nobody has", None)


@pytest.mark.parametrize("damaged", ["$argon2id$", "nonsense", "", "$2b$12$abcdefghijklmnopqrstuv"])
async def test_a_damaged_hash_accepts_no_password(damaged: str) -> None:
    assert not await PasswordChecker().matches("correct horse", damaged)


class CountingHasher(PasswordHasher):
    """A real hasher that counts simultaneous calls, and waits for its gate to open."""

    def __init__(self) -> None:
        super().__init__(time_cost=1, memory_cost=8, parallelism=1)
        self.gate, self.all_at_work = Event(), Event()
        self._lock = Lock()
        self._busy = self.most_busy = self.verified = 0

    def verify(self, hash: str | bytes, password: str | bytes) -> Literal[True]:  # noqa: A002 - the base class's name
        with self._lock:
            self._busy += 1
            self.most_busy = max(self.most_busy, self._busy)
            if self._busy == MOST_AT_ONCE:
                self.all_at_work.set()
        self.gate.wait(timeout=10)
        try:
            return super().verify(hash, password)
        finally:
            with self._lock:
                self._busy -= 1
                self.verified += 1


async def test_of_a_hundred_simultaneous_checks_two_run_and_few_wait() -> None:
    hasher = CountingHasher()
    checker, answers = PasswordChecker(hasher), Counter[str]()
    known = hasher.hash("correct horse")

    async def check() -> None:
        try:
            answers["right" if await checker.matches("correct horse", known) else "wrong"] += 1
        except TooBusy:
            answers["busy"] += 1
        if answers["busy"] == 100 - MOST_AT_ONCE - MOST_WAITING:
            assert await anyio.to_thread.run_sync(hasher.all_at_work.wait, 10)
            hasher.gate.set()

    async with anyio.create_task_group() as tasks:
        for _ in range(100):
            tasks.start_soon(check)
    assert answers == {"right": MOST_AT_ONCE + MOST_WAITING, "busy": 100 - MOST_AT_ONCE - MOST_WAITING}
    assert (hasher.most_busy, hasher.verified) == (MOST_AT_ONCE, MOST_AT_ONCE + MOST_WAITING)
    assert await checker.matches("correct horse", known)  # afterwards there is room again


async def test_a_hash_with_other_parameters_is_renewed_and_a_current_one_is_not() -> None:
    checker = PasswordChecker()
    weak = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash("correct horse")
    renewed = await checker.renewed("correct horse", weak)
    assert renewed
    assert await checker.matches("correct horse", renewed)
    assert await checker.renewed("correct horse", renewed) is None
