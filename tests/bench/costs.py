"""What one request costs, in processor time: `python -m tests.bench.costs [--count 2000] [--database postgresql]`.

The time is read from the kernel, for one control plane and for PostgreSQL, so that other processes have little effect.
It is compared with a bare answer in the same run and the same process: a response that only says "alive" is the cost of
Starlette and uvicorn. A report covers a thousand sessions.
"""

import argparse
import asyncio
import json
import os
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final

import jwt

from control_plane.clock import utc_now
from control_plane.db.database import Database, upgrade_schema
from control_plane.tables import Event
from control_plane.tickets import tickets
from tests.bench import targets
from tests.bench.doors_load import Connection
from tests.bench.doors_stack import DATABASES, postgresql
from tests.support.clients.api import INTERNAL_KEY
from tests.support.services.server import ControlPlaneProcess
from tests.support.threads import in_thread

_CONNECTIONS: Final = 16
_BEATS_AT_ONCE: Final = 32  # requests that arrive between two database reads on a fully busy core
_BEAT_EVERY_SECONDS: Final = 120  # for a playing page
# 200,000 viewers per core on the machine where it was 54,000 before; a bare answer took 0.13 ms there.
_MOST_OF_A_BEAT: Final = 4.6  # bare answers
# Multiples of a bare answer on PostgreSQL. Before the number of statements was reduced: 62, 65 and 696.
_MOST: Final = {"redemption": 31, "refresh": 32, "report": 70}
_REPORTED: Final = 1_000  # sessions per report
_REPORTS: Final = 60
_WARMING_UP: Final = 5
_TICKS: Final = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Cost:
    """Milliseconds of processor time of one request."""

    control_plane: float
    postgresql: float

    @property
    def both(self) -> float:
        return self.control_plane + self.postgresql


class CostBench:
    """A running control plane that is requested over several connections at once."""

    def __init__(self, process: ControlPlaneProcess, postmaster: int | None) -> None:
        self._process, self._postmaster = process, postmaster
        self.bodies: list[Any] = []

    async def cost(self, requests: Sequence[bytes], status: int = 200, at_once: int = _CONNECTIONS) -> Cost:
        waiting, before = list(reversed(requests)), self._seconds()
        self.bodies = []
        lines = [await self._line() for _ in range(at_once)]

        async def work(line: Connection) -> None:
            while waiting:
                answered, body = await line.ask(waiting.pop())
                assert answered == status, body
                self.bodies.append(body)

        await asyncio.gather(*map(work, lines))
        after = self._seconds()
        for line in lines:
            line.close()
        used = {pid: after[pid] - seconds for pid, seconds in before.items() if pid in after}
        own = used.pop(self._process.service.pid)
        return Cost(own * 1000 / len(requests), sum(used.values()) * 1000 / len(requests))

    async def _line(self) -> Connection:
        return Connection(*await asyncio.open_unix_connection(str(self._process.socket)))

    def _seconds(self) -> dict[int, float]:
        """Return the processor time by process. Processes that PostgreSQL starts or ends meanwhile are ignored."""
        return dict(_cpu_seconds([self._process.service.pid, *_children(self._postmaster)]))


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=2_000)
    parser.add_argument("--database", choices=DATABASES, action="append")
    chosen = parser.parse_args(arguments)
    print("| one request, processor time | database | control plane, ms | PostgreSQL, ms | bare answers, target |")
    print("|---|---|---|---|---|")
    for database in chosen.database or DATABASES:
        with tempfile.TemporaryDirectory() as name, _running(Path(name), database) as (bench, url):
            in_thread(partial(asyncio.run, _measure(bench, url, database, chosen.count)))


@contextmanager
def _running(folder: Path, database: str) -> Iterator[tuple[CostBench, str]]:
    with postgresql() if database == "postgresql" else _sqlite(folder) as (url, postmaster):
        in_thread(lambda: upgrade_schema(url))
        with ControlPlaneProcess(folder, url) as process:
            yield CostBench(process, postmaster), url


@contextmanager
def _sqlite(folder: Path) -> Iterator[tuple[str, None]]:
    yield f"sqlite+aiosqlite:///{folder}/bench.db", None


async def _measure(bench: CostBench, url: str, database: str, count: int) -> None:
    codes = await _tickets(url, count)
    bare = await bench.cost([_request("GET", "/internal/live")] * (count * 5))
    _print("bare", database, bare, bare)
    redeem = [_request("POST", "/api/tokens/validate", json.dumps({"code": code}).encode()) for code in codes]
    await bench.cost(redeem[:100])
    tokens = _tokens(bench)  # from the warm-up requests
    _print("redemption", database, await bench.cost(redeem[100:]), bare)
    tokens += _tokens(bench)
    _print("refresh", database, await bench.cost(_shown("/api/playback/refresh", tokens)), bare)
    sids = [_sid(token) for token in tokens]
    await asyncio.sleep(1)
    reports = [_report(sids[-_REPORTED:]) for _ in range(_WARMING_UP + _REPORTS)]
    await bench.cost(reports[:_WARMING_UP], 204, 1)
    _print("report", database, await bench.cost(reports[_WARMING_UP:], 204, 1), bare)
    beat = await bench.cost(_shown("/api/playback/heartbeat", tokens), at_once=_BEATS_AT_ONCE)
    _print("heartbeat", database, beat, bare)
    viewers = _BEAT_EVERY_SECONDS * 1000 / beat.both
    times = beat.both / bare.both
    verdict = targets.verdict(f"cost of a heartbeat, {database}", reached=times <= _MOST_OF_A_BEAT)
    figures = f"{times:.1f}, {_MOST_OF_A_BEAT}, {verdict}"
    print(f"| watching viewers a core: {viewers:,.0f} | {database} | | | {figures} |", flush=True)


async def _tickets(url: str, count: int) -> list[str]:
    database, now = Database(url), utc_now()
    window = {"starts_at": now - timedelta(hours=1), "ends_at": now + timedelta(hours=5)}
    async with database.write() as db:
        db.add(event := Event(title="Concert", created_at=now, updated_at=now, **window))
        await db.flush()
        made = await tickets.generate(db, event, count, utc_now())
    await database.close()
    return [ticket.code for ticket in made]


def _request(method: str, path: str, body: bytes = b"", headers: Sequence[str] = ()) -> bytes:
    words = [f"{method} {path} HTTP/1.1", "Host: tickets.example", "X-Real-IP: 192.0.2.1", *headers]
    return "\r\n".join([*words, f"Content-Length: {len(body)}", "", ""]).encode() + body


def _shown(path: str, tokens: Sequence[str]) -> list[bytes]:
    return [_request("POST", path, headers=[f"Authorization: Bearer {token}"]) for token in tokens]


def _report(sids: Sequence[str]) -> bytes:
    now, number = utc_now().timestamp(), len(sids)
    columns = {"sids": sids, "lastSeen": [now] * number, "clients": [["0123456789abcdef"]] * number}
    body = json.dumps({"edge": "bench", "instance": "0", **columns}).encode()
    return _request("POST", "/internal/activity", body, [f"X-Internal-Api-Key: {INTERNAL_KEY}"])


def _tokens(bench: CostBench) -> list[str]:
    return [json.loads(body)["playbackToken"] for body in bench.bodies]


def _sid(token: str) -> str:
    return str(jwt.decode(token, options={"verify_signature": False})["sid"])


def _children(pid: int | None) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()] if pid else []


def _cpu_seconds(pids: Iterable[int]) -> Iterator[tuple[int, float]]:
    for pid in pids:
        with suppress(FileNotFoundError):
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            yield pid, (int(fields[11]) + int(fields[12])) / _TICKS


def _print(what: str, database: str, cost: Cost, bare: Cost) -> None:
    times, most = cost.both / bare.both, _MOST.get(what) if database == "postgresql" else None
    figures = f"{cost.control_plane:.2f} | {cost.postgresql:.2f} | {times:.0f}"
    target = f", {most}, {targets.verdict(f'cost of a {what}', reached=times <= most)}" if most else ""
    print(f"| {what} | {database} | {figures}{target} |", flush=True)


if __name__ == "__main__":
    targets.run(main)
