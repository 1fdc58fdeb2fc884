"""Guesses: each takes its place in the window before it is judged, and gives it back when it was none.

So of any number that come at once no more are judged than the limit admits. Where the places are taken by guesses that
are still being judged, those who come after them wait in line: good codes give their places back. A place whose request
was cancelled, or whose process died, is neither given back nor kept for longer than the window.
"""

import asyncio
import time
from dataclasses import dataclass, field
from typing import Final, Protocol
from uuid import uuid4

from control_plane.limits.moving_windows import Hit, Limit, MovingWindow

UNDECIDED: Final = -1.0  # no room now, but others who are being judged may make some
_PATIENCE_SECONDS: Final = 10
_LOOK_AGAIN_SECONDS: Final = 0.02  # at counts that others change too


class SharedPlaces(Protocol):
    """Places that several control planes share. None is the answer of counts that are away for the moment."""

    async def open(self, limit: Limit, key: str, member: str) -> float | None: ...
    async def close(self, limit: Limit, key: str, member: str, *, take_back: bool) -> None: ...


class PlacesTaken(Exception):
    """There is no place for so many `seconds`."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        super().__init__()


@dataclass(frozen=True, slots=True)
class Reservation:
    """One guess that is being judged; `member` is its name in the shared counts."""

    key: str
    hit: Hit
    member: str


@dataclass(slots=True)
class _WaitingLine:
    """Those who wait for a place of one key: first come, first served."""

    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    length: int = 0


class Guesses:
    """The guesses of one limit, in memory, and where there are shared places, there too: those decide."""

    def __init__(self, limit: Limit, shared: SharedPlaces | None = None) -> None:
        self._limit, self._shared = limit, shared
        self._window = MovingWindow(limit)
        self._lines: dict[str, _WaitingLine] = {}

    async def take(self, key: str) -> Reservation:
        """Take a place, waiting for those who are being judged. Raise PlacesTaken."""
        line = self._lines.setdefault(key, _WaitingLine())
        line.length += 1
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS), line.turn:
                return await self._take(key, line)
        except TimeoutError:
            raise PlacesTaken(1) from None
        finally:
            line.length -= 1
            if not line.length:
                del self._lines[key]

    async def give_back(self, place: Reservation) -> None:
        """Say that this was no guess."""
        self._window.take_back(place.key, place.hit)
        self.decided(place)
        if self._shared:
            await self._shared.close(self._limit, place.key, place.member, take_back=True)

    async def keep(self, place: Reservation) -> None:
        """Say that this was a wrong guess."""
        self.decided(place)
        if self._shared:
            await self._shared.close(self._limit, place.key, place.member, take_back=False)

    def decided(self, place: Reservation) -> None:
        """Keep nobody waiting for it any more, however it ended."""
        place.hit.is_open = False
        if line := self._lines.get(place.key):
            line.changed.set()

    async def _take(self, key: str, line: _WaitingLine) -> Reservation:
        member = uuid4().hex
        while wait := await self._wait(key, member):
            if wait != UNDECIDED:
                raise PlacesTaken(wait)
            line.changed.clear()
            await self._change(line)
        place = Reservation(key, Hit(time.monotonic(), is_open=True), member)
        self._window.add(key, place.hit)
        return place

    async def _wait(self, key: str, member: str) -> float:
        """Tell for how long there is no place, or UNDECIDED; 0 has taken the one in the shared counts."""
        shared = await self._shared.open(self._limit, key, member) if self._shared else None
        if shared is not None:
            return shared
        own = self._window.wait(key, time.monotonic())
        return UNDECIDED if own and self._window.has_open(key) else own

    async def _change(self, line: _WaitingLine) -> None:
        if not self._shared:
            await line.changed.wait()
            return
        try:
            async with asyncio.timeout(_LOOK_AGAIN_SECONDS):
                await line.changed.wait()
        except TimeoutError:
            return
