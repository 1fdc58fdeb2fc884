"""Rate limits. Valid codes do not count: a venue behind one address can redeem a thousand without being limited."""

import ipaddress
import math
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final, Protocol

from sqlalchemy.exc import SQLAlchemyError

from control_plane.digests import digest
from control_plane.errors import Refusal, TooManyAttempts
from control_plane.limits.guesses import Guesses, PlacesTaken, SharedPlaces
from control_plane.limits.moving_windows import Limit, MovingWindow

_FEW_GUESSES: Final = Limit("few-guesses", 5, 60)
_MANY_GUESSES: Final = Limit("guesses", 60, 60)
_SIGN_INS: Final = Limit("sign-ins", 10, 60)
_SECOND_FACTORS: Final = Limit("second-factors", 10, 600)
_TV_CODES: Final = Limit("tv-codes", 100, 600)  # a building full of TVs, each with a new code every ten minutes
_TV_POLLS: Final = Limit("tv-questions", 30, 60)
_REFRESHES: Final = 12


class SharedCounts(SharedPlaces, Protocol):
    """Counts shared by several control planes. `hit` returns None while they are unavailable."""

    async def hit(self, limit: Limit, key: str) -> float | None: ...


class Limits:
    """Counts in memory and, if there are shared counts, also there; these decide while they are available.

    This process therefore still has its own counts if they become unavailable. Times are those of the process's
    monotonic clock; shared counts use their own clock. Every attempt is counted before it is checked.
    """

    def __init__(self, token_seconds: int, shared: SharedCounts | None = None) -> None:
        self._shared = shared
        self._refreshes = Limit("refreshes", _REFRESHES, token_seconds)
        limits = _FEW_GUESSES, _SIGN_INS, _SECOND_FACTORS, _TV_CODES, _TV_POLLS, self._refreshes
        self._windows = {limit.name: MovingWindow(limit) for limit in limits}
        self._guesses = Guesses(_MANY_GUESSES, shared)

    @asynccontextmanager
    async def guess(self, address: str, wrong: tuple[type[Refusal], ...]) -> AsyncIterator[None]:
        """Check a guess in this block; a refusal of a type in `wrong` says that the guess was wrong.

        Raise TooManyAttempts instead of that refusal after five wrong guesses in a minute, and without running the
        block after sixty. Other refusals are given to holders of valid codes only, and a failing database has checked
        nothing: these do not count. Any other exception counts as a wrong guess.
        """
        network = network_of(address)
        try:
            reservation = await self._guesses.reserve(network)
        except PlacesTaken as taken:
            raise _too_many(taken.seconds) from None
        try:
            yield
        except wrong:
            await self._guesses.keep(reservation)
            _refuse_if_limited(await self._hit(_FEW_GUESSES, network))
            raise
        except (Refusal, SQLAlchemyError):
            await self._guesses.release(reservation)
            raise
        else:
            await self._guesses.release(reservation)
        finally:
            self._guesses.settle(reservation)

    async def count_sign_in(self, address: str) -> None:
        """Count an attempt to sign in. Raise TooManyAttempts after ten in a minute."""
        _refuse_if_limited(await self._hit(_SIGN_INS, network_of(address)))

    async def count_second_factor(self, user_id: str) -> None:
        """Count a code given with the right password. Raise TooManyAttempts after ten in ten minutes."""
        _refuse_if_limited(await self._hit(_SECOND_FACTORS, user_id))

    async def count_tv_code(self, address: str) -> None:
        """Count a code that a TV requests. Raise TooManyAttempts after a hundred in ten minutes."""
        _refuse_if_limited(await self._hit(_TV_CODES, network_of(address)))

    async def count_tv_poll(self, device_code: str) -> None:
        """Count a TV's poll for its approval. Raise TooManyAttempts after thirty in a minute."""
        _refuse_if_limited(await self._hit(_TV_POLLS, digest(device_code)))

    async def count_refresh(self, sid: str) -> None:
        """Count a refresh of a session. Raise TooManyAttempts after twelve in the lifetime of a token."""
        _refuse_if_limited(await self._hit(self._refreshes, sid))

    async def _hit(self, limit: Limit, key: str) -> float:
        own = self._windows[limit.name].hit(key, time.monotonic())
        shared = await self._shared.hit(limit, key) if self._shared else None
        return own if shared is None else shared


def _refuse_if_limited(seconds: float) -> None:
    if seconds > 0:
        raise _too_many(seconds)


def _too_many(seconds: float) -> TooManyAttempts:
    return TooManyAttempts(max(1, math.ceil(seconds)))


def network_of(address: str) -> str:
    """Return what counts as one client: an IPv4 address, or an IPv6 /64 (a household has all of its addresses)."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if parsed.version == 6 and parsed.ipv4_mapped is None:  # noqa: PLR2004 - IPv6
        return str(ipaddress.ip_network(f"{address}/64", strict=False))
    return str(getattr(parsed, "ipv4_mapped", None) or parsed)
