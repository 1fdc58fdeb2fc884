"""Notices when somebody sets the clock: the time of day is compared with a clock that can only go on.

What is forgotten because its time is over never comes back, so for a while after the clock was set nothing may be.
"""

import time
from collections.abc import Callable
from typing import Final

_TOLERATED_SECONDS: Final = 5.0  # between two looks; what is slower is a clock that is being kept
_DISTRUST_SECONDS: Final = 600.0  # for so long somebody has time to set right what was set wrongly


class SteadyClock:
    """`wall` gives seconds since 1970, `steady` seconds since some moment."""

    def __init__(self, wall: Callable[[], float] = time.time, steady: Callable[[], float] = time.monotonic) -> None:
        self.wall, self.steady = wall, steady
        self._offset = wall() - steady()
        self._set_at: float | None = None

    def look(self) -> float:
        """Return by how many seconds the clock was set since the last look, 0 where it was not."""
        offset = self.wall() - self.steady()
        leap, self._offset = offset - self._offset, offset
        if abs(leap) <= _TOLERATED_SECONDS:
            return 0.0
        self._set_at = self.steady()
        return leap

    @property
    def is_trusted(self) -> bool:
        """Tell whether the clock was not set lately."""
        return self._set_at is None or self.steady() - self._set_at > _DISTRUST_SECONDS
