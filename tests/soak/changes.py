"""Changes during the soak: revoke and restore tickets, release sessions, close and open an event.

Each change records the times of its request and response; the gate must know it one second after the response.
"""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from tests.soak import truth
from tests.soak.audience import Spectator
from tests.support.clients.api import Admin, ViewerClient

_PAUSE_SECONDS = 0.2
_OPEN_SECONDS = 8.0
_REVOKED_SECONDS = 6.0  # time between a revocation and the next redemption, so that the refusal is seen


@dataclass
class Changes:
    """`quiet` is held while exclusive access to the control plane is needed."""

    admin: Admin
    portal: ViewerClient
    spectators: list[Spectator]
    guests: list[Spectator]  # viewers of the event that is closed and opened; no other changes affect them
    closing_event: str
    made: Counter[str] = field(default_factory=Counter)
    quiet: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def run_forever(self) -> None:
        free = list(self.spectators)
        random.shuffle(free)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._close_and_open_forever())
            for turn in range(1_000_000):
                kind = self._revoke_and_restore if turn % 2 else self._release_and_return
                tasks.create_task(kind(free[turn % len(free)]))
                await asyncio.sleep(_PAUSE_SECONDS)
                async with self.quiet:  # wait for earlier changes, so that none queue up
                    pass

    async def _revoke_and_restore(self, who: Spectator) -> None:
        await self._revoke([who], "revoked", lambda: self.admin.patch("tokens", who.ticket_id, "revoke"))
        await asyncio.sleep(_REVOKED_SECONDS)
        lifted = await self._lift("given back", lambda: self.admin.patch("tokens", who.ticket_id, "unrevoke"))
        await self._return(who, lifted)

    async def _release_and_return(self, who: Spectator) -> None:
        token = who.credential.token
        await self._revoke([who], "released", lambda: self.portal.release(token))
        await asyncio.sleep(_REVOKED_SECONDS)
        await self._return(who, 0)

    async def _close_and_open_forever(self) -> None:
        """Close one event for all its viewers from time to time; they return with new sessions."""
        while True:
            await asyncio.sleep(_OPEN_SECONDS)
            await self._revoke(
                self.guests, "closed", lambda: self.admin.patch("events", self.closing_event, "deactivate")
            )
            await asyncio.sleep(_REVOKED_SECONDS)
            lifted = await self._lift("opened", lambda: self.admin.patch("events", self.closing_event, "reactivate"))
            for guest in self.guests:
                await self._return(guest, lifted)

    async def _revoke(self, revoked: list[Spectator], what: str, ask: Callable[[], Awaitable[object]]) -> None:
        async with self.quiet:
            for who in revoked:
                who.credential.revoked_from = min(time.monotonic(), who.credential.revoked_from)
            await ask()
            for who in revoked:
                who.credential.revoke(who.credential.revoked_from, time.monotonic())
            self.made[what] += 1

    async def _lift(self, what: str, ask: Callable[[], Awaitable[object]]) -> float:
        """Return the time from which a new token must be allowed."""
        async with self.quiet:
            await ask()
            self.made[what] += 1
            return time.monotonic() + truth.TOLERANCE_SECONDS

    async def _return(self, who: Spectator, lifted: float) -> None:
        async with self.quiet:
            await who.redeem(self.portal)
            who.credential.sure_from = lifted
            self.made["redeemed again"] += 1
