"""Growing pauses between attempts that fail."""

import random
from dataclasses import dataclass, field

import anyio


@dataclass
class Backoff:
    """Pauses in seconds, each up to twice as long as the one before, with jitter so that many do not return at once."""

    first: float
    longest: float
    _next: float = field(init=False)

    def __post_init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Begin with the first pause again, after a success."""
        self._next = self.first

    async def pause(self) -> None:
        """Wait after a failure."""
        seconds, self._next = self._next, min(self._next * 2, self.longest)
        await anyio.sleep(seconds * random.uniform(0.5, 1))  # noqa: S311 - jitter is not secret
