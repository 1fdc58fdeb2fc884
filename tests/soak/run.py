"""One soak: mixed load and disruptions, with every response checked and memory measured."""

import asyncio
import itertools
from dataclasses import dataclass, field
from pathlib import Path

import httpx2

from tests.soak import memory, mishaps
from tests.soak.audience import Spectator
from tests.soak.changes import Changes
from tests.soak.live_streams import LiveStream, write_forever
from tests.soak.truth import Credential, Judge
from tests.support.clients.api import Admin, ViewerClient
from tests.support.data.tokens import Minter
from tests.support.media.streams import make_folder
from tests.support.services.stack import ADMIN_PASSWORD, StackUnderTest
from tests.support.threads import in_thread

_EVENTS = 3
_REDEEMING_AT_ONCE = 8


@dataclass(frozen=True)
class Plan:
    """Duration, number of viewers, and when memory is first measured: after all disruptions have replaced processes."""

    seconds: float
    viewers: int = 1000

    @property
    def settled_after(self) -> float:
        return min(120.0, self.seconds / 3)


@dataclass
class SoakOutcome:
    plan: Plan
    judge: Judge = field(default_factory=Judge)
    settled: dict[str, float] = field(default_factory=dict)
    end: dict[str, float] = field(default_factory=dict)
    changes: dict[str, int] = field(default_factory=dict)
    reopened: int = 0

    def __str__(self) -> str:
        answers = ", ".join(f"{count:,} x {status}" for status, count in sorted(self.judge.answers.items()))
        made = ", ".join(f"{count} {what}" for what, count in self.changes.items())
        rate = self.judge.answers.total() / self.plan.seconds
        lines = [
            f"{self.plan.viewers} viewers, {self.plan.seconds:.0f} s, {rate:.0f} requests/s: {answers}",
            f"changes: {made}",
            f"connections found closed, and opened again: {self.reopened} (nginx reloads once)",
            f"wrong: {self.judge.wrongs}",
            *(f"  {sentence}" for sentence in self.judge.wrong),
            "",
            memory.table(self.settled, self.end, self.plan.settled_after),
        ]
        return "\n".join(lines)


async def soak(gate: StackUnderTest, plan: Plan) -> SoakOutcome:
    outcome = SoakOutcome(plan)
    async with httpx2.AsyncClient(base_url=gate.url, timeout=30) as http, _visitor(gate) as visitor:
        admin, portal = Admin(http), ViewerClient(visitor)
        (await admin.sign_in(ADMIN_PASSWORD)).raise_for_status()
        streams = [_live_stream(gate, await admin.create_event()) for _ in range(_EVENTS)]
        holders = await _ticket_holders(gate, admin, streams, plan.viewers)
        guests = [who for who in holders if who.stream is streams[-1]]
        others = [who for who in holders if who.stream is not streams[-1]]
        changes = Changes(admin, portal, others, guests, streams[-1].folder.event_id)
        tasks = [write_forever(streams), changes.run_forever()]
        audience = [*holders, *_strangers(gate, streams)]
        tasks += [who.watch(gate.url, outcome.judge) for who in audience]
        await _during(asyncio.gather(*tasks), _timetable(gate, changes, outcome))
        outcome.changes = dict(changes.made)
        outcome.reopened = sum(who.reopened for who in audience)
    return outcome


async def _during(background: "asyncio.Future[list[None]]", course: "asyncio.Task[None]") -> None:
    """Run the timetable; a background task that ends early has failed."""
    await asyncio.wait((background, course), return_when=asyncio.FIRST_COMPLETED)
    for task in (background, course):
        if not task.done():
            task.cancel()
    results = await asyncio.gather(background, course, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException) and not isinstance(result, asyncio.CancelledError):
            raise result


def _timetable(gate: StackUnderTest, changes: Changes, outcome: SoakOutcome) -> "asyncio.Task[None]":
    plan = outcome.plan

    async def follow() -> None:
        clock = asyncio.get_running_loop()
        began = clock.time()

        async def until(seconds: float) -> None:
            await asyncio.sleep(began + seconds - clock.time())

        await until(plan.settled_after * 0.15)
        await mishaps.reload_nginx(gate)
        await until(plan.settled_after * 0.35)
        await mishaps.kill_sidecar(gate)
        await until(plan.settled_after * 0.50)
        await mishaps.return_sidecar(gate)
        await until(plan.settled_after * 0.65)
        await mishaps.restart_control_plane(gate, changes)
        await until(plan.settled_after)
        outcome.settled = memory.resident_mebibytes(gate)
        await until(plan.seconds)
        outcome.end = memory.resident_mebibytes(gate)

    return asyncio.create_task(follow())


def _live_stream(gate: StackUnderTest, event_id: str) -> LiveStream:
    stream = LiveStream(make_folder(gate.streams, event_id))
    stream.advance()
    return stream


def _visitor(gate: StackUnderTest) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(base_url=gate.url, timeout=30)


async def _ticket_holders(gate: StackUnderTest, admin: Admin, streams: list[LiveStream], count: int) -> list[Spectator]:
    """Create and redeem tickets for all streams; the last one, which will be closed, gets few."""
    closing = count // 50
    sizes = [count - closing - (count - closing) // 2, (count - closing) // 2, closing]
    holders: list[Spectator] = []
    for stream, size in zip(streams, sizes, strict=True):
        for ticket in await admin.codes(stream.folder.event_id, size):
            holders.append(Spectator(len(holders), stream, Credential(""), ticket["code"], ticket["id"]))
    waiting = iter(holders)

    async def redeem_some() -> None:
        async with _visitor(gate) as visitor:
            for who in waiting:
                await who.redeem(ViewerClient(visitor))

    await asyncio.gather(*(redeem_some() for _ in range(_REDEEMING_AT_ONCE)))
    return holders


def _strangers(gate: StackUnderTest, streams: list[LiveStream]) -> list[Spectator]:
    """Return spectators who must be refused: without a token, or with a forged, expired or another event's token."""
    minter, here, there = Minter(gate.home), streams[0], streams[1].folder.event_id
    good = minter.token(here.folder.event_id)
    wrong = [("", 401), (good[:-4] + "AAAA", 401), (minter.token(here.folder.event_id, iat=0, exp=60), 410)]
    wrong += [(minter.token(there), 403), (minter.probe_token(here.folder.event_id), 403)]
    carriers = range(4)
    return [
        Spectator(number, here, Credential(token).never(refusal))
        for (token, refusal), number in itertools.product(wrong, carriers)
    ]


def run(home: Path, plan: Plan) -> SoakOutcome:
    """Start a stack with two sidecars, soak it and stop it."""
    with StackUnderTest(home, sidecars=2, nginx_workers="2") as gate:
        return in_thread(lambda: asyncio.run(soak(gate, plan)))
