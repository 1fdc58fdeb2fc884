"""A cache for a figure that is expensive to count: at most a twentieth of the time is spent on counting it.

A figure that is counted quickly is counted on every call, so small installations always see the current value.
"""

import time
from collections.abc import Awaitable, Callable
from typing import Final, Generic, TypeVar

import anyio

QUICK_SECONDS: Final = 0.05
TIMES_ITS_COST: Final = 20
T = TypeVar("T")


class CostLimitedCache(Generic[T]):
    """`clock` returns monotonic seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = anyio.Lock()
        self._last: tuple[T] | None = None
        self._valid_until = 0.0

    async def get(self, count: Callable[[], Awaitable[T]]) -> T:
        """Return the last count for twenty times as long as counting took; then count, once for all waiting callers."""
        async with self._lock:
            began = self._clock()
            if self._last is None or began >= self._valid_until:
                self._last = (await count(),)
                cost = self._clock() - began
                self._valid_until = began + cost * (1 + TIMES_ITS_COST) if cost > QUICK_SECONDS else 0.0
            return self._last[0]
