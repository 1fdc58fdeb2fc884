"""Moving windows in this process's memory: at most so many hits in any so many seconds, for each key.

They must stay small and cheap whatever is thrown at them: a key is forgotten with its last hit, and the key that was
quiet longest goes first when there are too many. Written out because the library's own storage looks at every key it
holds, each in a thread, whenever one is hit.
"""

from collections import deque
from dataclasses import dataclass
from typing import Final

_MOST_KEYS: Final = 50_000


@dataclass(frozen=True, slots=True)
class Limit:
    """`amount` hits in any `seconds`; `name` keeps its keys apart from those of other limits."""

    name: str
    amount: int
    seconds: int


@dataclass(slots=True, eq=False)
class Hit:
    """One hit. While it is open it may still be taken back."""

    at: float
    is_open: bool = False


class MovingWindow:
    """The hits of one limit. Times are seconds of any clock that never goes back."""

    def __init__(self, limit: Limit, most_keys: int = _MOST_KEYS) -> None:
        self._limit, self._most_keys = limit, most_keys
        self._hits: dict[str, deque[Hit]] = {}  # the key that was hit last comes last

    def __len__(self) -> int:
        return len(self._hits)

    def wait(self, key: str, now: float) -> float:
        """Tell after how many seconds the key may be hit: 0 is now."""
        hits = self._hits.get(key)
        if hits is None or len(hits) < self._limit.amount:
            return 0
        return max(0.0, hits[0].at + self._limit.seconds - now)

    def hit(self, key: str, now: float) -> float:
        """Count a hit, or count nothing and tell after how many seconds there is room for one."""
        wait = self.wait(key, now)
        if not wait:
            self.add(key, Hit(now))
        return wait

    def add(self, key: str, hit: Hit) -> None:
        """Count a hit even where there is no room for it: the oldest one goes."""
        self._forget(hit.at)
        hits = self._hits.pop(key, None) or deque(maxlen=self._limit.amount)
        hits.append(hit)
        self._hits[key] = hits

    def take_back(self, key: str, hit: Hit) -> None:
        """Count the hit no longer. One that was forgotten already is none."""
        hits = self._hits.get(key)
        if hits and hit in hits:
            hits.remove(hit)
        if not hits:
            self._hits.pop(key, None)

    def has_open(self, key: str) -> bool:
        return any(hit.is_open for hit in self._hits.get(key, ()))

    def _forget(self, now: float) -> None:
        while self._hits:
            quietest = next(iter(self._hits))
            is_past = self._hits[quietest][-1].at + self._limit.seconds <= now
            if not is_past and len(self._hits) < self._most_keys:
                return
            del self._hits[quietest]
