"""Admin passwords: argon2id, and one answer for every kind of wrong."""

import pytest

from control_plane.passwords import PasswordChecker, hash_password

pytestmark = pytest.mark.anyio
HASH = hash_password("correct horse")


def test_a_password_is_kept_as_argon2id_and_never_twice_the_same() -> None:
    assert HASH.startswith("$argon2id$")
    assert hash_password("correct horse") != HASH
    assert "correct" not in HASH


async def test_the_right_password_is_right() -> None:
    assert await PasswordChecker().matches("correct horse", HASH)


@pytest.mark.parametrize("password", ["wrong horse", "Correct horse", "correct horse ", "", "x" * 1000, "\0", "é"])
async def test_another_is_wrong(password: str) -> None:
    assert not await PasswordChecker().matches(password, HASH)


async def test_nobody_has_a_password_not_even_the_one_that_nobody_has() -> None:
    assert not await PasswordChecker().matches("a password that nobody has", None)


@pytest.mark.parametrize("damaged", ["$argon2id$", "nonsense", "", "$2b$12$abcdefghijklmnopqrstuv"])
async def test_a_damaged_hash_lets_nobody_in(damaged: str) -> None:
    assert not await PasswordChecker().matches("correct horse", damaged)
