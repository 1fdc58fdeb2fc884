"""Counters of the hot path: plain numbers, exported by `metrics`, so that counting costs next to nothing."""

from bisect import bisect_left
from typing import Final

from authz_sidecar.gate import Reason

BOUNDS: Final = (5e-6, 1e-5, 2e-5, 5e-5, 1e-4, 2e-4, 5e-4, 1e-3, 5e-3, 2.5e-2, 0.1, 1.0)


class Meter:
    """Verdicts by reason (None: allowed), and a histogram of decision times with upper bounds `BOUNDS`, in seconds."""

    def __init__(self) -> None:
        self.verdicts: dict[Reason | None, int] = dict.fromkeys([None, *Reason], 0)
        self.decisions = [0] * (len(BOUNDS) + 1)
        self.seconds = 0.0

    def count(self, refusal: Reason | None, seconds: float) -> None:
        self.verdicts[refusal] += 1
        self.decisions[bisect_left(BOUNDS, seconds)] += 1
        self.seconds += seconds
