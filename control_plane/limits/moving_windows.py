"""Moving windows in this process's memory: at most a given number of hits in any given number of seconds, per key.

They must stay small and fast under any load: a key is dropped with its last hit, and the least recently hit key is
dropped first if there are too many. No library is used, because its storage checks every key that it holds, each in a
thread, at every hit.
"""

from collections import deque
from dataclasses import dataclass
from typing import Final

_MOST_KEYS: Final = 50_000


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `amount` hits in any `seconds`; `name` keeps its keys apart from those of other limits."""

    name: str
    amount: int
    seconds: int


@dataclass(slots=True, eq=False)
class Hit:
    """One hit. While it is open it may still be taken back."""

    at: float
    is_open: bool = False


class MovingWindow:
    """The hits of one limit. Times are seconds of a monotonic clock."""

    def __init__(self, limit: Limit, most_keys: int = _MOST_KEYS) -> None:
        self._limit, self._most_keys = limit, most_keys
        self._hits: dict[str, deque[Hit]] = {}  # ordered by the last hit, the most recent one last

    def __len__(self) -> int:
        return len(self._hits)

    def wait(self, key: str, now: float) -> float:
        """Return after how many seconds the key may be hit; 0 means now."""
        hits = self._hits.get(key)
        if hits is None or len(hits) < self._limit.amount:
            return 0
        return max(0.0, hits[0].at + self._limit.seconds - now)

    def hit(self, key: str, now: float) -> float:
        """Count a hit and return 0, or count nothing and return the seconds until there is room."""
        wait = self.wait(key, now)
        if not wait:
            self.add(key, Hit(now))
        return wait

    def add(self, key: str, hit: Hit) -> None:
        """Count a hit even if there is no room for it: the oldest one is dropped."""
        self._evict(hit.at)
        hits = self._hits.pop(key, None) or deque(maxlen=self._limit.amount)
        hits.append(hit)
        self._hits[key] = hits

    def take_back(self, key: str, hit: Hit) -> None:
        """Remove a hit. Do nothing if it was dropped already."""
        hits = self._hits.get(key)
        if hits and hit in hits:
            hits.remove(hit)
        if not hits:
            self._hits.pop(key, None)

    def has_open(self, key: str) -> bool:
        return any(hit.is_open for hit in self._hits.get(key, ()))

    def _evict(self, now: float) -> None:
        while self._hits:
            oldest = next(iter(self._hits))
            is_expired = self._hits[oldest][-1].at + self._limit.seconds <= now
            if not is_expired and len(self._hits) < self._most_keys:
                return
            del self._hits[oldest]
