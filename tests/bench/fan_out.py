"""The cost of a thousand feed followers for one control plane: `python -m tests.bench.fan_out [--followers 1000]`.

The followers are connections in this process that send the same bytes as a sidecar and parse as little as possible: the
control plane has its own core, and its processor time is read from the kernel. It is compared with a bare answer in the
same run and the same process: a response that only says "alive" is the cost of Starlette and uvicorn.
"""

import argparse
import asyncio
import os
import re
import secrets
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from authz_sidecar.contract.feed import Change, Cursor, Kind
from control_plane.db.database import Database, upgrade_schema
from control_plane.revocations import revocation_feed
from tests.bench import targets
from tests.support.clients.api import INTERNAL_KEY
from tests.support.services.server import ControlPlaneProcess

_LAST_HEARD_MS: Final = 500
_MOST: Final = 1.5  # bare answers: 0.2 ms where a bare answer took 0.13 ms
_BARE_ROUNDS: Final = 10
_PATIENCE_SECONDS: Final = 60
_LENGTH: Final = re.compile(rb"content-length: (\d+)", re.IGNORECASE)
_CURSOR: Final = re.compile(rb'"cursor": ?"([^"]+)"')
_TICKS: Final = os.sysconf("SC_CLK_TCK")


@dataclass
class FollowerConnection:
    """One follower: poll the feed, note the time of each response, and continue from its cursor."""

    name: str
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    cursor: str = ""
    received_at: float = 0.0

    async def ask(self, wait: int) -> None:
        body = await self.get(f"/internal/feed?edge={self.name}&instance=0&cursor={self.cursor}&wait={wait}")
        self.received_at = time.perf_counter()
        found = _CURSOR.search(body)
        assert found, body
        self.cursor = found[1].decode()

    async def get(self, target: str) -> bytes:
        head = f"GET {target} HTTP/1.1\r\nHost: control-plane\r\nX-Internal-Api-Key: {INTERNAL_KEY}\r\n\r\n"
        self.writer.write(head.encode())
        answer = await self.reader.readuntil(b"\r\n\r\n")
        length = _LENGTH.search(answer)
        assert length, answer
        return await self.reader.readexactly(int(length[1]))


@dataclass
class FollowerCrowd:
    connections: list[FollowerConnection]
    tasks: list[asyncio.Task[None]] = field(default_factory=list)

    @classmethod
    async def connect(cls, socket: Path, count: int) -> "FollowerCrowd":
        connections = []
        for number in range(count):
            reader, writer = await asyncio.open_unix_connection(str(socket))
            connections.append(FollowerConnection(f"edge-{number}", reader, writer))
            await connections[-1].ask(wait=0)
        return cls(connections)

    async def request_live(self) -> None:
        await asyncio.gather(*(line.get("/internal/live") for line in self.connections))

    def follow(self) -> None:
        self.tasks = [asyncio.create_task(self._follow(line)) for line in self.connections]

    async def _follow(self, line: FollowerConnection) -> None:
        while True:
            await line.ask(wait=30)

    async def heard(self, place: int) -> list[float]:
        """Wait until all followers have this change; return when each got it."""
        deadline = time.perf_counter() + _PATIENCE_SECONDS
        while any(_place(line.cursor) < place for line in self.connections):
            assert time.perf_counter() < deadline, "not everybody hears of it"
            await asyncio.sleep(0.005)
        return [line.received_at for line in self.connections]

    async def close(self) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        for line in self.connections:
            line.writer.close()


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--followers", type=int, default=1000)
    parser.add_argument("--samples", type=int, default=50)
    chosen = parser.parse_args(arguments)
    asyncio.run(_measure(chosen.followers, chosen.samples))


async def _measure(followers: int, samples: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        url = f"sqlite+aiosqlite:///{name}/bench.db"
        await asyncio.to_thread(upgrade_schema, url)
        process = ControlPlaneProcess(Path(name), url)
        process.start()
        await asyncio.to_thread(process.service.wait_ready)
        try:
            await _print(process, Database(url), followers, samples)
        finally:
            await asyncio.to_thread(process.service.end)


async def _print(process: ControlPlaneProcess, database: Database, followers: int, samples: int) -> None:
    crowd = await FollowerCrowd.connect(process.socket, followers)
    before = _cpu_seconds(process.service.pid)
    for _ in range(_BARE_ROUNDS):
        await crowd.request_live()
    bare = (_cpu_seconds(process.service.pid) - before) / _BARE_ROUNDS / followers
    crowd.follow()
    last, cpu = [], []
    for _ in range(samples + 1):
        await asyncio.sleep(0.5)
        before, began = _cpu_seconds(process.service.pid), time.perf_counter()
        place = await _revoke(database)
        heard = await crowd.heard(place)
        await asyncio.sleep(0.3)  # until their next requests, which are the receipts, have been handled
        cpu.append((_cpu_seconds(process.service.pid) - before) / followers)
        last.append(max(heard) - began)
    await crowd.close()
    await database.close()
    _report(followers, last[1:], cpu[1:], bare)


async def _revoke(database: Database) -> int:
    """Append a change as a command does, from another process, so that noticing it is part of the measurement."""
    now = time.time()
    async with database.write() as db:
        change = Change(Kind.CODE, secrets.token_hex(6), True, None, now, now + 3600)
        await revocation_feed.append(db, change)
        return _place(await revocation_feed.head(db))


def _place(cursor: str) -> int:
    found = Cursor.parse(cursor)
    return found.n if found else -1


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def _report(followers: int, last: Sequence[float], cpu: Sequence[float], bare: float) -> None:
    p99 = sorted(last)[-(-len(last) * 99 // 100) - 1] * 1000
    cost = statistics.mean(cpu)
    print("| one change, told to all | followers | p50, ms | p99, ms | target | |")
    print("|---|---|---|---|---|---|")
    verdict = targets.verdict(f"the last of {followers} followers", reached=p99 < _LAST_HEARD_MS)
    print(
        f"| the last one has heard | {followers} | {statistics.median(last) * 1000:.0f} | {p99:.0f} "
        f"| {_LAST_HEARD_MS} | {verdict} |"
    )
    verdict = targets.verdict(f"processor time a follower, of {followers}", reached=cost / bare <= _MOST)
    print(f"| processor time a follower | {followers} | {cost * 1000:.3f} | | | |")
    print(
        f"| in bare answers, of {bare * 1000:.3f} ms | {followers} | {cost / bare:.2f} | | {_MOST} | {verdict} |",
        flush=True,
    )


if __name__ == "__main__":
    targets.run(main)
