"""Detect that the system clock was set, by comparing it with a monotonic clock.

Expired entries that are dropped do not come back, so nothing may be dropped for some time after the clock was set.
"""

import time
from collections.abc import Callable
from typing import Final

_TOLERATED_SECONDS: Final = 5.0  # between two checks; smaller steps are a time service's
_DISTRUST_SECONDS: Final = 600.0  # time to correct a clock that was set wrongly


class SteadyClock:
    """`wall` returns seconds since 1970, `steady` seconds since an arbitrary moment."""

    def __init__(self, wall: Callable[[], float] = time.time, steady: Callable[[], float] = time.monotonic) -> None:
        self.wall, self.steady = wall, steady
        self._offset = wall() - steady()
        self._set_at: float | None = None

    def check(self) -> float:
        """Return by how many seconds the clock was set since the last call; 0 if it was not."""
        offset = self.wall() - self.steady()
        leap, self._offset = offset - self._offset, offset
        if abs(leap) <= _TOLERATED_SECONDS:
            return 0.0
        self._set_at = self.steady()
        return leap

    @property
    def is_trusted(self) -> bool:
        """Whether the clock has not been set recently."""
        return self._set_at is None or self.steady() - self._set_at > _DISTRUST_SECONDS
