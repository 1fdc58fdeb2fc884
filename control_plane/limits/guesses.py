"""A limit on guesses: each reserves a place in the window before it is checked, and releases it if it was right.

So no more concurrent guesses are checked than the limit allows. While all places are reserved by guesses that are
still being checked, later ones wait in a queue, because valid codes release their places. The place of a request that
was cancelled, or whose process died, is not released, but expires with the window.
"""

import asyncio
import time
from dataclasses import dataclass, field
from typing import Final, Protocol
from uuid import uuid4

from control_plane.limits.moving_windows import Hit, Limit, MovingWindow

UNDECIDED: Final = -1.0  # no place is free, but guesses that are being checked may release some
_MAX_WAIT_SECONDS: Final = 10
_POLL_SECONDS: Final = 0.02  # for counts that other processes change, too


class SharedPlaces(Protocol):
    """Places shared by several control planes. `open` returns None while the shared counts are unavailable."""

    async def open(self, limit: Limit, key: str, member: str) -> float | None: ...
    async def close(self, limit: Limit, key: str, member: str, *, take_back: bool) -> None: ...


class PlacesTaken(Exception):
    """No place is free for this number of `seconds`."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        super().__init__()


@dataclass(frozen=True, slots=True)
class Reservation:
    """One guess that is being checked; `member` is its name in the shared counts."""

    key: str
    hit: Hit
    member: str


@dataclass(slots=True)
class _Queue:
    """The guesses that wait for a place of one key: first come, first served."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    length: int = 0


class Guesses:
    """The guesses of one limit: counted in memory and, if there are shared places, also there; these decide."""

    def __init__(self, limit: Limit, shared: SharedPlaces | None = None) -> None:
        self._limit, self._shared = limit, shared
        self._window = MovingWindow(limit)
        self._queues: dict[str, _Queue] = {}

    async def reserve(self, key: str) -> Reservation:
        """Reserve a place, waiting for guesses that are being checked. Raise PlacesTaken."""
        queue = self._queues.setdefault(key, _Queue())
        queue.length += 1
        try:
            async with asyncio.timeout(_MAX_WAIT_SECONDS), queue.lock:
                return await self._reserve(key, queue)
        except TimeoutError:
            raise PlacesTaken(1) from None
        finally:
            queue.length -= 1
            if not queue.length:
                del self._queues[key]

    async def release(self, reservation: Reservation) -> None:
        """Release the place: the guess was right."""
        self._window.take_back(reservation.key, reservation.hit)
        self.settle(reservation)
        if self._shared:
            await self._shared.close(self._limit, reservation.key, reservation.member, take_back=True)

    async def keep(self, reservation: Reservation) -> None:
        """Keep the place: the guess was wrong."""
        self.settle(reservation)
        if self._shared:
            await self._shared.close(self._limit, reservation.key, reservation.member, take_back=False)

    def settle(self, reservation: Reservation) -> None:
        """Let nobody wait for this guess any more, however it ended."""
        reservation.hit.is_open = False
        if queue := self._queues.get(reservation.key):
            queue.changed.set()

    async def _reserve(self, key: str, queue: _Queue) -> Reservation:
        member = uuid4().hex
        while wait := await self._seconds_to_wait(key, member):
            if wait != UNDECIDED:
                raise PlacesTaken(wait)
            queue.changed.clear()
            await self._wait_for_change(queue)
        reservation = Reservation(key, Hit(time.monotonic(), is_open=True), member)
        self._window.add(key, reservation.hit)
        return reservation

    async def _seconds_to_wait(self, key: str, member: str) -> float:
        """Return for how many seconds no place is free, or UNDECIDED; 0 has reserved one in the shared counts."""
        shared = await self._shared.open(self._limit, key, member) if self._shared else None
        if shared is not None:
            return shared
        own = self._window.wait(key, time.monotonic())
        return UNDECIDED if own and self._window.has_open(key) else own

    async def _wait_for_change(self, queue: _Queue) -> None:
        if not self._shared:
            await queue.changed.wait()
            return
        try:
            async with asyncio.timeout(_POLL_SECONDS):
                await queue.changed.wait()
        except TimeoutError:
            return
