"""Limits. Only guesses count: a venue behind one address redeems a thousand good codes and meets none of them."""

import ipaddress
import math
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from hashlib import sha256
from typing import Final, Protocol

from sqlalchemy.exc import SQLAlchemyError

from control_plane.errors import Refusal, TooManyAttempts
from control_plane.limits.guesses import Guesses, PlacesTaken, SharedPlaces
from control_plane.limits.moving_windows import Limit, MovingWindow

_FEW_GUESSES: Final = Limit("few-guesses", 5, 60)
_MANY_GUESSES: Final = Limit("guesses", 60, 60)
_SIGN_INS: Final = Limit("sign-ins", 10, 60)
_SECOND_FACTORS: Final = Limit("second-factors", 10, 600)
_TV_CODES: Final = Limit("tv-codes", 100, 600)  # a house full of TVs, each with a new code every ten minutes
_TV_QUESTIONS: Final = Limit("tv-questions", 30, 60)
_REFRESHES: Final = 12


class SharedCounts(SharedPlaces, Protocol):
    """Counts that several control planes share. None is the answer of counts that are away for the moment."""

    async def hit(self, limit: Limit, key: str) -> float | None: ...


class Limits:
    """Counts in memory, and where there are shared counts, there too: those decide for as long as they answer.

    So what this process has seen is still known when they go away. Time comes from the clock: shared counts have
    their own, too. Everything is counted before it is judged.
    """

    def __init__(self, token_seconds: int, shared: SharedCounts | None = None) -> None:
        self._shared = shared
        self._refreshes = Limit("refreshes", _REFRESHES, token_seconds)
        limits = _FEW_GUESSES, _SIGN_INS, _SECOND_FACTORS, _TV_CODES, _TV_QUESTIONS, self._refreshes
        self._windows = {limit.name: MovingWindow(limit) for limit in limits}
        self._guesses = Guesses(_MANY_GUESSES, shared)

    @asynccontextmanager
    async def guess(self, address: str, wrong: tuple[type[Refusal], ...]) -> AsyncIterator[None]:
        """Judge in this block whether somebody has guessed right; a refusal of a `wrong` kind says that they have not.

        Raise TooManyAttempts instead of it past the fifth in a minute, and without judging where sixty were wrong.
        Other refusals are told to holders of good codes only, and a database that fails has judged nothing. Whatever
        else ends the block counts as a wrong guess.
        """
        network = network_of(address)
        try:
            place = await self._guesses.take(network)
        except PlacesTaken as taken:
            raise _too_many(taken.seconds) from None
        try:
            yield
        except wrong:
            await self._guesses.keep(place)
            _refuse_for(await self._hit(_FEW_GUESSES, network))
            raise
        except (Refusal, SQLAlchemyError):
            await self._guesses.give_back(place)
            raise
        else:
            await self._guesses.give_back(place)
        finally:
            self._guesses.decided(place)

    async def count_sign_in(self, address: str) -> None:
        """Count one attempt to sign in; raise TooManyAttempts past the tenth in a minute."""
        _refuse_for(await self._hit(_SIGN_INS, network_of(address)))

    async def count_second_factor(self, user_id: str) -> None:
        """Count one code given with the right password; raise TooManyAttempts past the tenth in ten minutes."""
        _refuse_for(await self._hit(_SECOND_FACTORS, user_id))

    async def count_tv_code(self, address: str) -> None:
        """Count one code that a TV wants to show; raise TooManyAttempts past the hundredth in ten minutes."""
        _refuse_for(await self._hit(_TV_CODES, network_of(address)))

    async def count_tv_question(self, device_code: str) -> None:
        """Count a TV's question whether it was let in; raise TooManyAttempts past the thirtieth in a minute."""
        _refuse_for(await self._hit(_TV_QUESTIONS, sha256(device_code.encode()).hexdigest()))

    async def count_refresh(self, sid: str) -> None:
        """Count one refresh of a session; raise TooManyAttempts past the twelfth in a token's life."""
        _refuse_for(await self._hit(self._refreshes, sid))

    async def _hit(self, limit: Limit, key: str) -> float:
        own = self._windows[limit.name].hit(key, time.monotonic())
        shared = await self._shared.hit(limit, key) if self._shared else None
        return own if shared is None else shared


def _refuse_for(seconds: float) -> None:
    if seconds > 0:
        raise _too_many(seconds)


def _too_many(seconds: float) -> TooManyAttempts:
    return TooManyAttempts(max(1, math.ceil(seconds)))


def network_of(address: str) -> str:
    """Return what counts as one guesser: an IPv4 address, or an IPv6 /64 (one household has all of it)."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if parsed.version == 6 and parsed.ipv4_mapped is None:  # noqa: PLR2004 - IPv6
        return str(ipaddress.ip_network(f"{address}/64", strict=False))
    return str(getattr(parsed, "ipv4_mapped", None) or parsed)
