"""A figure that is expensive to count: at most a twentieth of the time goes into it, however often it is asked for.

What is counted quickly is counted each time, so small installations always see the present.
"""

import time
from collections.abc import Awaitable, Callable
from typing import Final, Generic, TypeVar

import anyio

QUICK_SECONDS: Final = 0.05
TIMES_ITS_COST: Final = 20
T = TypeVar("T")


class CostLimitedCache(Generic[T]):
    """`clock` gives seconds that never go back."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._counting = anyio.Lock()
        self._last: tuple[T] | None = None
        self._good_until = 0.0

    async def get(self, count: Callable[[], Awaitable[T]]) -> T:
        """Return what was counted last, for twenty times as long as counting took; else count, once for all askers."""
        async with self._counting:
            began = self._clock()
            if self._last is None or began >= self._good_until:
                self._last = (await count(),)
                cost = self._clock() - began
                self._good_until = began + cost * (1 + TIMES_ITS_COST) if cost > QUICK_SECONDS else 0.0
            return self._last[0]
