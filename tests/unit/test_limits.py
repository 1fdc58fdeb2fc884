"""Limits: only guesses count, per household."""

import asyncio
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress

import pytest
from sqlalchemy.exc import SQLAlchemyError

from control_plane.errors import Conflict, Refusal, TooManyAttempts
from control_plane.limits.limits import Limits, network_of

pytestmark = pytest.mark.anyio
HOME, NEIGHBOUR = "192.0.2.1", "192.0.2.2"


class _Wrong(Refusal):
    """The refusal of a wrong guess in these tests."""


def end(outcome: type[BaseException] | None) -> None:
    if outcome:
        raise outcome


async def guess(limits: Limits, address: str = HOME, outcome: type[BaseException] | None = _Wrong) -> str:
    """Guess once, with this outcome, and return the result."""
    try:
        async with limits.guess(address, wrong=(_Wrong,)):
            end(outcome)
    except TooManyAttempts:
        return "refused"
    except BaseException as refusal:  # noqa: BLE001 - including cancellation
        return type(refusal).__name__
    return "good"


async def guesses(limits: Limits, times: int, address: str = HOME) -> Counter[str]:
    return Counter([await guess(limits, address) for _ in range(times)])


async def test_five_guesses_a_minute_are_answered_and_the_sixth_is_refused() -> None:
    assert await guesses(Limits(3600), 6) == {"_Wrong": 5, "refused": 1}


async def test_valid_codes_still_pass_after_the_fifth_guess_and_none_after_the_sixtieth() -> None:
    limits = Limits(3600)
    await guesses(limits, 59)
    assert await guess(limits, outcome=None) == "good"
    await guesses(limits, 1)
    assert await guess(limits, outcome=None) == "refused"


async def test_a_neighbouring_address_is_not_refused() -> None:
    limits = Limits(3600)
    await guesses(limits, 60)
    assert await guess(limits, NEIGHBOUR, None) == "good"
    assert await guesses(limits, 5, NEIGHBOUR) == {"_Wrong": 5}


@pytest.mark.parametrize("outcome", [None, Conflict, SQLAlchemyError])
async def test_other_outcomes_than_a_wrong_code_are_not_counted(outcome: type[Exception] | None) -> None:
    limits = Limits(3600)

    async def ask() -> None:
        async with limits.guess(HOME, wrong=(_Wrong,)):
            end(outcome)

    for _ in range(200):
        with suppress(Exception):
            await ask()
    assert await guesses(limits, 5) == {"_Wrong": 5}


@pytest.mark.parametrize("outcome", [ValueError, asyncio.CancelledError])
async def test_a_request_that_crashes_or_is_cancelled_counts_as_a_guess(outcome: type[BaseException]) -> None:
    limits = Limits(3600)
    for _ in range(60):
        assert await guess(limits, outcome=outcome) == outcome.__name__
    assert await guess(limits, outcome=None) == "refused"


async def test_a_refusal_says_when_to_try_again() -> None:
    limits = Limits(3600)
    await guesses(limits, 60)
    with pytest.raises(TooManyAttempts) as caught:
        async with limits.guess(HOME, wrong=(_Wrong,)):
            pass
    assert 1 <= caught.value.retry_after <= 60


async def at_once(limits: Limits, outcomes: Iterable[type[Refusal] | None]) -> tuple[Counter[str], int]:
    """Guess with all of these outcomes at once; return the results, and how many were checked."""
    judged = 0

    async def one(outcome: type[Refusal] | None) -> str:
        nonlocal judged
        try:
            async with limits.guess(HOME, wrong=(_Wrong,)):
                judged += 1
                await asyncio.sleep(0)
                end(outcome)
        except Refusal as refusal:
            return type(refusal).__name__
        return "good"

    return Counter(await asyncio.gather(*map(one, outcomes))), judged


async def test_of_a_thousand_simultaneous_guesses_sixty_are_checked() -> None:
    told, judged = await at_once(Limits(3600), [_Wrong] * 1000)
    assert judged == 60
    assert told == {"_Wrong": 5, "TooManyAttempts": 995}


async def test_of_a_thousand_simultaneous_valid_codes_none_is_refused() -> None:
    told, judged = await at_once(Limits(3600), [None] * 1000)
    assert (told, judged) == ({"good": 1000}, 1000)


async def test_a_few_wrong_codes_among_a_thousand_valid_ones_block_none_of_those() -> None:
    told, _ = await at_once(Limits(3600), [_Wrong if number % 20 == 0 else None for number in range(1000)])
    assert told == {"good": 950, "_Wrong": 5, "TooManyAttempts": 45}


async def test_a_waiting_request_continues_when_one_before_it_is_cancelled() -> None:
    """Of sixty requests in progress one is cancelled, and still counts; one succeeds, which frees a place."""
    limits = Limits(3600)
    ends = [asyncio.Event() for _ in range(60)]

    async def slow(end: asyncio.Event) -> None:
        async with limits.guess(HOME, wrong=(_Wrong,)):
            await end.wait()

    judged = [asyncio.create_task(slow(end)) for end in ends]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    waiting = asyncio.create_task(guess(limits, outcome=None))
    judged[0].cancel()
    for _ in range(20):
        await asyncio.sleep(0)
    assert not waiting.done()
    ends[1].set()
    assert await asyncio.wait_for(waiting, 10) == "good"
    for end in ends:
        end.set()
    await asyncio.gather(*judged, return_exceptions=True)


async def test_ten_sign_ins_a_minute_are_allowed() -> None:
    limits = Limits(3600)
    for _ in range(10):
        await limits.count_sign_in(HOME)
    with pytest.raises(TooManyAttempts):
        await limits.count_sign_in(HOME)
    await limits.count_sign_in(NEIGHBOUR)


async def test_twelve_refreshes_are_allowed_per_token_lifetime_and_session() -> None:
    limits = Limits(600)
    for _ in range(12):
        await limits.count_refresh("one")
    with pytest.raises(TooManyAttempts) as caught:
        await limits.count_refresh("one")
    assert 500 <= caught.value.retry_after <= 600
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
