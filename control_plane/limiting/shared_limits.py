"""Counts in Redis, for limits that hold over several control planes.

They must never be the reason why somebody with a good code waits or is refused: Redis has a moment to answer, and for
a while after it failed nobody asks it. The counts in memory decide meanwhile.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final

import structlog
from limits import RateLimitItem, RateLimitItemPerSecond
from limits.aio.storage import RedisStorage
from limits.aio.strategies import MovingWindowRateLimiter
from redis.asyncio import ConnectionPool
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from control_plane.limiting.moving_windows import Limit

PATIENCE_SECONDS: Final = 0.1
_LEFT_ALONE_SECONDS: Final = 2.0
_PREFIX: Final = "streamgate"
log = structlog.get_logger()


class RedisCounts:
    """What `Limits` asks of shared counts. Each answer is None while Redis is away, and comes soon in any case."""

    def __init__(self, url: str) -> None:
        once = Retry(NoBackoff(), 0)  # its own default tries three more times, with pauses
        patience = {"socket_timeout": PATIENCE_SECONDS, "socket_connect_timeout": PATIENCE_SECONDS}
        self._pool = ConnectionPool.from_url(url, retry=once, **patience)
        own_pool: dict[str, Any] = {"connection_pool": self._pool}
        storage = RedisStorage("redis://", implementation="redispy", key_prefix=_PREFIX, **own_pool)
        self._windows = MovingWindowRateLimiter(storage)
        self._left_alone_until = 0.0
        self._is_away = False

    async def wait(self, limit: Limit, key: str) -> float | None:
        """Tell after how many seconds the key may be hit: 0 is now."""
        return await self._ask(lambda: self._wait(_item(limit), key))

    async def hit(self, limit: Limit, key: str) -> float | None:
        """Count a hit, or count nothing and tell after how many seconds there is room for one."""
        return await self._ask(lambda: self._hit(_item(limit), key))

    async def close(self) -> None:
        await self._pool.disconnect()

    async def _wait(self, item: RateLimitItem, key: str) -> float:
        return 0 if await self._windows.test(item, key) else await self._until_reset(item, key)

    async def _hit(self, item: RateLimitItem, key: str) -> float:
        return 0 if await self._windows.hit(item, key) else await self._until_reset(item, key)

    async def _until_reset(self, item: RateLimitItem, key: str) -> float:
        stats = await self._windows.get_window_stats(item, key)
        return max(1.0, stats.reset_time - time.time())

    async def _ask(self, question: Callable[[], Awaitable[float]]) -> float | None:
        if time.monotonic() < self._left_alone_until:
            return None
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                answer = await question()
        except (RedisError, OSError, TimeoutError) as error:
            self._note_away(error)
            return None
        self._note_back()
        return answer

    def _note_away(self, error: Exception) -> None:
        self._left_alone_until = time.monotonic() + _LEFT_ALONE_SECONDS
        if not self._is_away:
            log.warning("shared_limits_away", error=type(error).__name__)
        self._is_away = True

    def _note_back(self) -> None:
        if self._is_away:
            log.info("shared_limits_back")
        self._is_away = False


def _item(limit: Limit) -> RateLimitItem:
    return RateLimitItemPerSecond(limit.amount, limit.seconds, namespace=limit.name)
