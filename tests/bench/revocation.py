"""The delay of a revocation: from the response to the API call to the first segment that is refused or served again.

`python -m tests.bench.revocation [--samples 100] [--in-force 100000]`. One edge is real (nginx and a sidecar, requested
over HTTP); with twenty edges the other nineteen are followers in a separate process: they load the control plane like
edges, and their receipts tell when the last of them had the change.
"""

import argparse
import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import httpx2
from dotenv import dotenv_values
from sqlalchemy import insert

from control_plane.clock import utc_now
from control_plane.db.database import Database
from control_plane.tables import RevocationChange
from tests.bench import targets
from tests.support.clients.people import IssuedTicket, Organiser, Viewer
from tests.support.services.stack import ADMIN_PASSWORD, StackUnderTest
from tests.support.threads import in_thread
from tests.support.waiting import eventually

ROOT: Final = Path(__file__).parents[2]
SEGMENT: Final = "1.ts"
TARGETS_MS: Final = {1: 250, 20: 1000}
_GIVE_UP_SECONDS: Final = 60
_BATCH: Final = 20_000


@dataclass
class Samples:
    """Measured seconds, by action."""

    seconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    def take(self, what: str, until: Callable[[], bool]) -> None:
        """Measure the time until the condition holds, polling without a pause."""
        began = time.perf_counter()
        while not until():
            assert time.perf_counter() - began < _GIVE_UP_SECONDS, f"{what} does not work"
        self.seconds[what].append(time.perf_counter() - began)


@dataclass
class RevocationBench:
    """A running edge, an organiser and two viewers."""

    organiser: Organiser
    admin: httpx2.Client
    viewer: Viewer
    rival: Viewer
    samples: Samples

    def round(self, event_id: str, ticket: IssuedTicket) -> None:
        """Measure every way to revoke and restore once, with one ticket."""
        self._play(ticket)
        answer = self.admin.patch(f"/tokens/{ticket.id}/revoke").raise_for_status()
        self.samples.take("revoke", self._is_refused)
        self._note_last_edge(answer.json()["revocation"])
        self.organiser.unrevoke(ticket)
        self.samples.take("un-revoke, redeemed afresh", lambda: self._plays_afresh(ticket))
        self.viewer.post("/api/playback/release").raise_for_status()
        self.samples.take("release", self._is_refused)
        self._play(ticket)
        self.rival.redeem(ticket.code, takeover=True).raise_for_status()
        self.samples.take("take-over", self._is_refused)
        self.rival.post("/api/playback/release").raise_for_status()
        self._play(ticket)
        self.organiser.deactivate(event_id)
        self.samples.take("deactivate", self._is_refused)
        self.organiser.reactivate(event_id)
        self.samples.take("reactivate, redeemed afresh", lambda: self._plays_afresh(ticket))

    def _play(self, ticket: IssuedTicket) -> None:
        eventually(lambda: self._plays_afresh(ticket), what="a fresh token plays")

    def _plays_afresh(self, ticket: IssuedTicket) -> bool:
        return self.viewer.redeem(ticket.code).is_success and self._status() == httpx2.codes.OK

    def _is_refused(self) -> bool:
        return self._status() == httpx2.codes.FORBIDDEN

    def _status(self) -> int:
        return self.viewer.watch(SEGMENT).status_code

    def _note_last_edge(self, cursor: str) -> None:
        """Record the slowest edge's receipt, which is measured from the change itself, before the response."""

        def receipt() -> dict[str, Any]:
            found: dict[str, Any] = self.admin.get(f"/revocations/{cursor}").raise_for_status().json()["data"]
            return found if found["inForceEverywhere"] else {}

        edges = eventually(receipt, _GIVE_UP_SECONDS, what="in force everywhere")["edges"]
        known = [edge["afterSeconds"] for edge in edges if edge["afterSeconds"] is not None]
        self.samples.seconds["revoke, receipt of the last edge"].append(max(known))


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=100)
    parser.add_argument("--in-force", type=int, default=100_000)
    chosen = parser.parse_args(arguments)
    print("| from the call's answer to the first segment | edges | in force | p50, ms | p99, ms | target p99, ms |")
    print("|---|---|---|---|---|---|")
    for edges, in_force in ((1, 0), (20, chosen.in_force)):
        _print(_measure(edges, in_force, chosen.samples), edges, in_force)


def _measure(edges: int, in_force: int, count: int) -> Samples:
    samples = Samples()
    with ExitStack() as stack, tempfile.TemporaryDirectory() as name:
        running = StackUnderTest(Path(name) / "home")
        in_thread(lambda: asyncio.run(_fill(running, in_force)))
        stack.callback(running.stop)
        running.start()
        stack.enter_context(_followers(running, edges - 1))
        organiser, viewer, rival = Organiser(running.url), Viewer(running.url), Viewer(running.url)
        admin = httpx2.Client(base_url=f"{running.url}/api/admin", timeout=30)
        for client in (organiser, viewer, rival, admin):
            stack.callback(client.close)
        admin.post("/login", json={"password": ADMIN_PASSWORD}).raise_for_status()
        event_id = organiser.create_event(sessionPolicy="takeover")
        (running.streams / event_id).mkdir()
        (running.streams / event_id / SEGMENT).write_bytes(os.urandom(1024))
        bench = RevocationBench(organiser, admin, viewer, rival, samples)
        for ticket in organiser.tickets(event_id, count):
            bench.round(event_id, ticket)
    return samples


async def _fill(running: StackUnderTest, count: int) -> None:
    """Insert this many revocations."""
    database = Database(dotenv_values(running.home / ".env", interpolate=False)["DATABASE_URL"] or "")
    now, later = utc_now(), utc_now() + timedelta(hours=6)
    common = {"kind": "code", "revoked": True, "at": now, "expires_at": later}
    for start in range(0, count, _BATCH):
        rows = [common | {"subject": f"bench{i:07d}"} for i in range(start, min(start + _BATCH, count))]
        async with database.write() as db:
            await db.execute(insert(RevocationChange), rows)
    await database.close()


@contextmanager
def _followers(running: StackUnderTest, count: int) -> Iterator[None]:
    if not count:
        yield
        return
    argv, env = [sys.executable, "-m", "tests.bench.followers", str(count)], running.sidecars[0].spec.env
    with subprocess.Popen(argv, cwd=ROOT, env=dict(env), stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            assert process.stdout.readline() == "ready\n"
            yield
        finally:
            process.terminate()


def _print(samples: Samples, edges: int, in_force: int) -> None:
    for what, seconds in samples.seconds.items():
        p50, p99 = statistics.median(seconds), _p99(seconds)
        verdict = targets.verdict(f"{what}, {edges} edges", reached=p99 * 1000 < TARGETS_MS[edges])
        row = [what, str(edges), f"{in_force:,}", f"{p50 * 1000:.1f}", f"{p99 * 1000:.1f}"]
        row.append(f"{TARGETS_MS[edges]}, {verdict}")
        print(f"| {' | '.join(row)} |", flush=True)


def _p99(seconds: list[float]) -> float:
    """Return the 99th percentile."""
    ordered = sorted(seconds)
    return ordered[-(-len(ordered) * 99 // 100) - 1]


if __name__ == "__main__":
    targets.run(main)
