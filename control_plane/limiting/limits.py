"""Limits. Only guesses count: a venue behind one address redeems a thousand good codes and meets none of them."""

import ipaddress
import math
import time
from typing import Final, Protocol

from control_plane.limiting.moving_windows import Limit, MovingWindow
from control_plane.refusals import TooManyAttempts

_FEW_GUESSES: Final = Limit("few-guesses", 5, 60)
_MANY_GUESSES: Final = Limit("guesses", 60, 60)
_SIGN_INS: Final = Limit("sign-ins", 10, 60)
_SECOND_FACTORS: Final = Limit("second-factors", 10, 600)
_REFRESHES: Final = 12


class SharedCounts(Protocol):
    """Counts that several control planes share. None is the answer of counts that are away for the moment."""

    async def wait(self, limit: Limit, key: str) -> float | None: ...
    async def hit(self, limit: Limit, key: str) -> float | None: ...


class Limits:
    """Counts in memory, and where there are shared counts, there too: those decide for as long as they answer.

    So what this process has seen is still known when they go away. Time comes from the clock: shared counts have
    their own, too.
    """

    def __init__(self, token_seconds: int, shared: SharedCounts | None = None) -> None:
        self._shared = shared
        self._refreshes = Limit("refreshes", _REFRESHES, token_seconds)
        limits = _FEW_GUESSES, _MANY_GUESSES, _SIGN_INS, _SECOND_FACTORS, self._refreshes
        self._windows = {limit.name: MovingWindow(limit) for limit in limits}

    async def check_guesser(self, address: str) -> None:
        """Raise TooManyAttempts for an address that has guessed so much that even good codes must wait."""
        network = network_of(address)
        wait = await self._shared.wait(_MANY_GUESSES, network) if self._shared else None
        if wait is None:
            wait = self._windows[_MANY_GUESSES.name].wait(network, time.monotonic())
        _refuse_for(wait)

    async def count_guess(self, address: str) -> None:
        """Count one wrong guess; raise TooManyAttempts past the fifth in a minute."""
        network = network_of(address)
        await self._hit(_MANY_GUESSES, network)
        _refuse_for(await self._hit(_FEW_GUESSES, network))

    async def count_sign_in(self, address: str) -> None:
        """Count one attempt to sign in; raise TooManyAttempts past the tenth in a minute."""
        _refuse_for(await self._hit(_SIGN_INS, network_of(address)))

    async def count_second_factor(self, user_id: str) -> None:
        """Count one code given with the right password; raise TooManyAttempts past the tenth in ten minutes."""
        _refuse_for(await self._hit(_SECOND_FACTORS, user_id))

    async def count_refresh(self, sid: str) -> None:
        """Count one refresh of a session; raise TooManyAttempts past the twelfth in a token's life."""
        _refuse_for(await self._hit(self._refreshes, sid))

    async def _hit(self, limit: Limit, key: str) -> float:
        own = self._windows[limit.name].hit(key, time.monotonic())
        shared = await self._shared.hit(limit, key) if self._shared else None
        return own if shared is None else shared


def _refuse_for(seconds: float) -> None:
    if seconds > 0:
        raise TooManyAttempts(max(1, math.ceil(seconds)))


def network_of(address: str) -> str:
    """Return what counts as one guesser: an IPv4 address, or an IPv6 /64 (one household has all of it)."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if parsed.version == 6 and parsed.ipv4_mapped is None:  # noqa: PLR2004 - IPv6
        return str(ipaddress.ip_network(f"{address}/64", strict=False))
    return str(getattr(parsed, "ipv4_mapped", None) or parsed)
