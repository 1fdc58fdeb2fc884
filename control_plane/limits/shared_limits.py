"""Counts in Redis, for limits that apply across several control planes.

They must never make a viewer with a valid code wait or be refused: Redis has a short time-out, and is not asked for a
while after a failure. The counts in memory decide in the meantime.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar
from uuid import uuid4

import structlog
from redis.asyncio import ConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from control_plane.limits.guesses import UNDECIDED
from control_plane.limits.moving_windows import Limit

TIMEOUT_SECONDS: Final = 0.1
OPEN_SECONDS: Final = 5  # the process of a hit that is open for longer is taken to have died
_RETRY_AFTER_SECONDS: Final = 2.0
_PREFIX: Final = "streamgate"
# A moving window: one set of all hits, one of those that may still be taken back, sorted by Redis's own clock.
_HIT: Final = """
local time = redis.call('TIME')
local now = time[1] + time[2] / 1000000
local amount, seconds, member, open_seconds = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3], tonumber(ARGV[4])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - seconds)
if redis.call('ZCARD', KEYS[1]) < amount then
  redis.call('ZADD', KEYS[1], now, member)
  redis.call('EXPIRE', KEYS[1], seconds + 1)
  if open_seconds > 0 then
    redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now - open_seconds)
    redis.call('ZADD', KEYS[2], now, member)
    redis.call('EXPIRE', KEYS[2], open_seconds + 1)
  end
  return '0'
end
if open_seconds > 0 and redis.call('ZCOUNT', KEYS[2], now - open_seconds, '+inf') > 0 then
  return 'undecided'
end
return tostring(redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')[2] + seconds - now)
"""
T = TypeVar("T")
log = structlog.get_logger()


class RedisCounts:
    """The shared counts for `Limits`. Every method returns soon, and None while Redis is unavailable."""

    def __init__(self, url: str) -> None:
        once = Retry(NoBackoff(), 0)  # the default makes three more attempts, with pauses
        timeouts = {"socket_timeout": TIMEOUT_SECONDS, "socket_connect_timeout": TIMEOUT_SECONDS}
        self._pool = ConnectionPool.from_url(url, retry=once, **timeouts)
        self._redis = Redis(connection_pool=self._pool)
        self._script = self._redis.register_script(_HIT)
        self._retry_at = 0.0
        self._is_away = False

    async def hit(self, limit: Limit, key: str) -> float | None:
        """Count a hit and return 0, or count nothing and return the seconds until there is room."""
        return await self._ask(lambda: self._hit(limit, key, uuid4().hex, 0))

    async def open(self, limit: Limit, key: str, member: str) -> float | None:
        """Count a hit that may be taken back. Return UNDECIDED if there is no room, but open hits may make some."""
        return await self._ask(lambda: self._hit(limit, key, member, OPEN_SECONDS))

    async def close(self, limit: Limit, key: str, member: str, *, take_back: bool) -> None:
        """Close an open hit, and uncount it if `take_back`."""
        all_hits, open_hits = _names(limit, key)
        await self._ask(lambda: self._remove(member, all_hits if take_back else None, open_hits))

    async def disconnect(self) -> None:
        await self._pool.disconnect()

    async def _hit(self, limit: Limit, key: str, member: str, open_seconds: int) -> float:
        arguments = limit.amount, limit.seconds, member, open_seconds
        answer = await self._script(keys=_names(limit, key), args=arguments)
        return UNDECIDED if answer == b"undecided" else float(answer)

    async def _remove(self, member: str, *names: str | None) -> None:
        async with self._redis.pipeline(transaction=False) as pipeline:
            for name in filter(None, names):
                pipeline.zrem(name, member)
            await pipeline.execute()

    async def _ask(self, request: Callable[[], Awaitable[T]]) -> T | None:
        if time.monotonic() < self._retry_at:
            return None
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                answer = await request()
        except (RedisError, OSError, TimeoutError) as error:
            self._note_failure(error)
            return None
        self._note_success()
        return answer

    def _note_failure(self, error: Exception) -> None:
        self._retry_at = time.monotonic() + _RETRY_AFTER_SECONDS
        if not self._is_away:
            log.warning("shared_limits_away", error=type(error).__name__)
        self._is_away = True

    def _note_success(self) -> None:
        if self._is_away:
            log.info("shared_limits_back")
        self._is_away = False


def _names(limit: Limit, key: str) -> tuple[str, str]:
    """Return both Redis keys of a key; the braces keep them in one slot of a cluster."""
    name = f"{_PREFIX}:{{{limit.name}:{key}}}"
    return f"{name}:hits", f"{name}:open"
