"""Limits. Only guesses count: a venue behind one address redeems a thousand good codes and meets none of them."""

import ipaddress
import math
import time

from limits import RateLimitItemPerMinute, RateLimitItemPerSecond
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import MovingWindowRateLimiter
from limits.limits import RateLimitItem

from control_plane.refusals import TooManyAttempts

_FEW_GUESSES = RateLimitItemPerMinute(5)
_MANY_GUESSES = RateLimitItemPerMinute(60)
_SIGN_INS = RateLimitItemPerMinute(10)
_REFRESHES = 12


class Limits:
    """Counts in memory. `now` is read from the clock that the storage uses, so it is no parameter here."""

    def __init__(self, token_seconds: int) -> None:
        self._windows = MovingWindowRateLimiter(MemoryStorage())
        self._refreshes = RateLimitItemPerSecond(_REFRESHES, token_seconds)

    async def check_guesser(self, address: str) -> None:
        """Raise TooManyAttempts for an address that has guessed so much that even good codes must wait."""
        if not await self._windows.test(_MANY_GUESSES, "guess", network_of(address)):
            raise await self._refusal(_MANY_GUESSES, "guess", network_of(address))

    async def count_guess(self, address: str) -> None:
        """Count one wrong guess; raise TooManyAttempts past the fifth in a minute."""
        await self._windows.hit(_MANY_GUESSES, "guess", network_of(address))
        await self._hit(_FEW_GUESSES, "few-guesses", network_of(address))

    async def count_sign_in(self, address: str) -> None:
        """Count one attempt to sign in; raise TooManyAttempts past the tenth in a minute."""
        await self._hit(_SIGN_INS, "sign-in", network_of(address))

    async def count_refresh(self, sid: str) -> None:
        """Count one refresh of a session; raise TooManyAttempts past the twelfth in a token's life."""
        await self._hit(self._refreshes, "refresh", sid)

    async def _hit(self, item: RateLimitItem, *key: str) -> None:
        if not await self._windows.hit(item, *key):
            raise await self._refusal(item, *key)

    async def _refusal(self, item: RateLimitItem, *key: str) -> TooManyAttempts:
        stats = await self._windows.get_window_stats(item, *key)
        return TooManyAttempts(max(1, math.ceil(stats.reset_time - time.time())))


def network_of(address: str) -> str:
    """Return what counts as one guesser: an IPv4 address, or an IPv6 /64 (one household has all of it)."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if parsed.version == 6 and parsed.ipv4_mapped is None:  # noqa: PLR2004 - IPv6
        return str(ipaddress.ip_network(f"{address}/64", strict=False))
    return str(getattr(parsed, "ipv4_mapped", None) or parsed)
