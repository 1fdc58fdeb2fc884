"""Limits: only guesses count, and each household counts for itself."""

import pytest

from control_plane.limiting.limits import Limits, network_of
from control_plane.refusals import TooManyAttempts

pytestmark = pytest.mark.anyio
HOME, NEIGHBOUR = "192.0.2.1", "192.0.2.2"


async def guess(limits: Limits, times: int, address: str = HOME) -> int:
    """Guess and return how often that was refused."""
    refused = 0
    for _ in range(times):
        try:
            await limits.count_guess(address)
        except TooManyAttempts:
            refused += 1
    return refused


async def test_five_guesses_a_minute_are_answered_and_the_sixth_is_refused() -> None:
    limits = Limits(3600)
    assert await guess(limits, 5) == 0
    assert await guess(limits, 1) == 1


async def test_good_codes_still_pass_after_the_fifth_guess_and_none_after_the_sixtieth() -> None:
    limits = Limits(3600)
    await guess(limits, 59)
    await limits.check_guesser(HOME)
    await guess(limits, 1)
    with pytest.raises(TooManyAttempts):
        await limits.check_guesser(HOME)


async def test_a_neighbour_is_not_refused_for_it() -> None:
    limits = Limits(3600)
    await guess(limits, 60)
    await limits.check_guesser(NEIGHBOUR)
    assert await guess(limits, 5, NEIGHBOUR) == 0


async def test_asking_without_guessing_is_not_counted() -> None:
    limits = Limits(3600)
    for _ in range(200):
        await limits.check_guesser(HOME)
    assert await guess(limits, 5) == 0


async def test_who_is_refused_learns_when_to_try_again() -> None:
    limits = Limits(3600)
    await guess(limits, 5)
    with pytest.raises(TooManyAttempts) as caught:
        await limits.count_guess(HOME)
    assert 1 <= caught.value.retry_after <= 60


async def test_ten_sign_ins_a_minute_are_let_through() -> None:
    limits = Limits(3600)
    for _ in range(10):
        await limits.count_sign_in(HOME)
    with pytest.raises(TooManyAttempts):
        await limits.count_sign_in(HOME)
    await limits.count_sign_in(NEIGHBOUR)


async def test_twelve_refreshes_are_allowed_in_the_life_of_a_token_and_each_session_has_its_own() -> None:
    limits = Limits(600)
    for _ in range(12):
        await limits.count_refresh("one")
    with pytest.raises(TooManyAttempts) as caught:
        await limits.count_refresh("one")
    assert 590 <= caught.value.retry_after <= 600
    await limits.count_refresh("another")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff:ffff:ffff:ffff"),
        ("2001:db8:1:2::1", "2001:0DB8:0001:0002::"),
        ("192.0.2.1", "::ffff:192.0.2.1"),
        ("fe80::1", "fe80::2"),
    ],
)
def test_addresses_of_one_household_count_together(one: str, other: str) -> None:
    assert network_of(one) == network_of(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("2001:db8:1:2::1", "2001:db8:1:3::1"),
        ("192.0.2.1", "192.0.2.2"),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.2"),
        ("", "192.0.2.1"),
    ],
)
def test_addresses_of_two_households_do_not(one: str, other: str) -> None:
    assert network_of(one) != network_of(other)
