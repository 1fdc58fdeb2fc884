"""The crowd at the doors: one process of it. Reads what to do from stdin, prints what it saw; judges nothing.

`redeem` sends each code once, as fast as its connections get answers. `beat` sends each token's heartbeat at its own
moment whether or not earlier ones were answered, and counts from that moment: a stall is felt by everybody behind it.
"""

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import uvloop


@dataclass
class Seen:
    """Seconds from wish to answer, in the order of answers; statuses by number; what came with 200."""

    took: list[float] = field(default_factory=list)
    statuses: dict[int, int] = field(default_factory=dict)
    bodies: list[Any] = field(default_factory=list)

    def note(self, wished_at: float, status: int, body: bytes) -> None:
        self.took.append(time.monotonic() - wished_at)
        self.statuses[status] = self.statuses.get(status, 0) + 1
        self.bodies.append(json.loads(body))


class Line:
    """One connection with keep-alive. Whatever goes wrong ends the run: here nothing may."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def ask(self, request: bytes) -> tuple[int, bytes]:
        self._writer.write(request)
        head = (await self._reader.readuntil(b"\r\n\r\n")).lower()
        _, _, length = head.partition(b"content-length: ")  # 204 has none
        return int(head[9:12]), await self._reader.readexactly(int(length.partition(b"\r\n")[0] or 0))

    def close(self) -> None:
        self._writer.close()


@dataclass(frozen=True)
class Job:
    host: str
    port: int
    connections: int
    what: str
    items: Sequence[str]  # codes or tokens
    rate: float = 0.0  # heartbeats a second

    def request(self, item: str) -> bytes:
        host = f"Host: {self.host}:{self.port}"
        if self.what == "redeem":
            body = json.dumps({"code": item})
            words = ["POST /api/tokens/validate HTTP/1.1", host, f"Content-Length: {len(body)}", "", body]
            return "\r\n".join(words).encode()
        words = ["POST /api/playback/heartbeat HTTP/1.1", host, f"Authorization: Bearer {item}", "Content-Length: 0"]
        return "\r\n".join([*words, "", ""]).encode()


async def redeem(job: Job, lines: Sequence[Line], seen: Seen) -> None:
    waiting = list(reversed(job.items))

    async def work(line: Line) -> None:
        while waiting:
            wished_at = time.monotonic()
            seen.note(wished_at, *await line.ask(job.request(waiting.pop())))

    await asyncio.gather(*map(work, lines))


async def beat(job: Job, lines: Sequence[Line], seen: Seen) -> None:
    free: asyncio.Queue[Line] = asyncio.Queue()
    for line in lines:
        free.put_nowait(line)

    async def send(token: str, wished_at: float) -> None:
        line = await free.get()
        seen.note(wished_at, *await line.ask(job.request(token)))
        free.put_nowait(line)

    began = time.monotonic()
    async with asyncio.TaskGroup() as tasks:
        for number, token in enumerate(job.items):
            wished_at = began + number / job.rate
            await asyncio.sleep(max(0.0, wished_at - time.monotonic()))
            tasks.create_task(send(token, wished_at))


JOBS: dict[str, Callable[[Job, Sequence[Line], Seen], Awaitable[None]]] = {"redeem": redeem, "beat": beat}


async def run(job: Job) -> dict[str, Any]:
    """Do the job. Moments are of the clock that all processes of a machine share."""
    lines = [Line(*await asyncio.open_connection(job.host, job.port)) for _ in range(job.connections)]
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.readline)
    seen, began = Seen(), time.monotonic()
    await JOBS[job.what](job, lines, seen)
    ended = time.monotonic()
    for line in lines:
        line.close()
    return {
        "began": began,
        "ended": ended,
        "took": seen.took,
        "statuses": seen.statuses,
        "bodies": seen.bodies,
    }


if __name__ == "__main__":
    done = uvloop.run(run(Job(**json.loads(sys.stdin.readline()))))
    json.dump(done, sys.stdout)
