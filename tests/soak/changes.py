"""What people do throughout: tickets revoked and given back, sessions released, an event closed and opened again.

Each change notes when it was asked for and answered; from a second after the answer on, the gate must know.
"""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from tests.soak import truth
from tests.soak.audience import Spectator
from tests.support.api import Admin, Viewer

_PAUSE_SECONDS = 0.2
_OPEN_SECONDS = 8.0
_AWAY_SECONDS = 6.0  # how long somebody stays cut before they are let in again: the cut must be seen


@dataclass
class Changes:
    """`quiet` is held by whoever needs the control plane to himself."""

    admin: Admin
    portal: Viewer
    spectators: list[Spectator]
    guests: list[Spectator]  # of the event that is closed and opened; nothing else happens to them
    closing_event: str
    made: Counter[str] = field(default_factory=Counter)
    quiet: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def go_on_for_ever(self) -> None:
        free = list(self.spectators)
        random.shuffle(free)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._close_and_open_for_ever())
            for turn in range(1_000_000):
                kind = self._revoke_and_give_back if turn % 2 else self._release_and_return
                tasks.create_task(kind(free[turn % len(free)]))
                await asyncio.sleep(_PAUSE_SECONDS)
                async with self.quiet:  # those before may take their time: none queues up behind others
                    pass

    async def _revoke_and_give_back(self, who: Spectator) -> None:
        await self._cut([who], "revoked", lambda: self.admin.patch("tokens", who.ticket_id, "revoke"))
        await asyncio.sleep(_AWAY_SECONDS)
        lifted = await self._lift("given back", lambda: self.admin.patch("tokens", who.ticket_id, "unrevoke"))
        await self._return(who, lifted)

    async def _release_and_return(self, who: Spectator) -> None:
        token = who.credential.token
        await self._cut([who], "released", lambda: self.portal.release(token))
        await asyncio.sleep(_AWAY_SECONDS)
        await self._return(who, 0)

    async def _close_and_open_for_ever(self) -> None:
        """Close one event to all its viewers, now and then; they come back with fresh sessions."""
        while True:
            await asyncio.sleep(_OPEN_SECONDS)
            await self._cut(self.guests, "closed", lambda: self.admin.patch("events", self.closing_event, "deactivate"))
            await asyncio.sleep(_AWAY_SECONDS)
            lifted = await self._lift("opened", lambda: self.admin.patch("events", self.closing_event, "reactivate"))
            for guest in self.guests:
                await self._return(guest, lifted)

    async def _cut(self, cut_off: list[Spectator], what: str, ask: Callable[[], Awaitable[object]]) -> None:
        async with self.quiet:
            for who in cut_off:
                who.credential.cut_begins = min(time.monotonic(), who.credential.cut_begins)
            await ask()
            for who in cut_off:
                who.credential.cut(who.credential.cut_begins, time.monotonic())
            self.made[what] += 1

    async def _lift(self, what: str, ask: Callable[[], Awaitable[object]]) -> float:
        """Return from when on a fresh token must be let in."""
        async with self.quiet:
            await ask()
            self.made[what] += 1
            return time.monotonic() + truth.TOLERANCE_SECONDS

    async def _return(self, who: Spectator, lifted: float) -> None:
        async with self.quiet:
            await who.redeem(self.portal)
            who.credential.sure_from = lifted
            self.made["redeemed again"] += 1
