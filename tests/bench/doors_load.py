"""One load process for the benchmark of an opening. It reads its job from stdin and prints the results unjudged.

`redeem` sends each code once, as fast as its connections get responses. `beat` sends each token's heartbeat at its
scheduled time, even if earlier ones were not answered yet, and measures from that time: a stall delays all later ones.
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
class DoorsResult:
    """Seconds from due time to response, in the order of responses; statuses by number; bodies of the responses."""

    took: list[float] = field(default_factory=list)
    statuses: dict[int, int] = field(default_factory=dict)
    bodies: list[Any] = field(default_factory=list)

    def note(self, due_at: float, status: int, body: bytes) -> None:
        self.took.append(time.monotonic() - due_at)
        self.statuses[status] = self.statuses.get(status, 0) + 1
        self.bodies.append(json.loads(body))


class Connection:
    """One keep-alive connection. Any error ends the run: none is expected."""

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
    rate: float = 0.0  # heartbeats per second

    def request(self, item: str) -> bytes:
        host = f"Host: {self.host}:{self.port}"
        if self.what == "redeem":
            body = json.dumps({"code": item})
            words = ["POST /api/tokens/validate HTTP/1.1", host, f"Content-Length: {len(body)}", "", body]
            return "\r\n".join(words).encode()
        words = ["POST /api/playback/heartbeat HTTP/1.1", host, f"Authorization: Bearer {item}", "Content-Length: 0"]
        return "\r\n".join([*words, "", ""]).encode()


async def redeem(job: Job, connections: Sequence[Connection], seen: DoorsResult) -> None:
    waiting = list(reversed(job.items))

    async def work(connection: Connection) -> None:
        while waiting:
            due_at = time.monotonic()
            seen.note(due_at, *await connection.ask(job.request(waiting.pop())))

    await asyncio.gather(*map(work, connections))


async def beat(job: Job, connections: Sequence[Connection], seen: DoorsResult) -> None:
    free: asyncio.Queue[Connection] = asyncio.Queue()
    for connection in connections:
        free.put_nowait(connection)

    async def send(token: str, due_at: float) -> None:
        connection = await free.get()
        seen.note(due_at, *await connection.ask(job.request(token)))
        free.put_nowait(connection)

    began = time.monotonic()
    async with asyncio.TaskGroup() as tasks:
        for number, token in enumerate(job.items):
            due_at = began + number / job.rate
            await asyncio.sleep(max(0.0, due_at - time.monotonic()))
            tasks.create_task(send(token, due_at))


JOBS: dict[str, Callable[[Job, Sequence[Connection], DoorsResult], Awaitable[None]]] = {"redeem": redeem, "beat": beat}


async def run(job: Job) -> dict[str, Any]:
    """Run the job. Times are those of the monotonic clock, which all processes of a machine share."""
    connections = [Connection(*await asyncio.open_connection(job.host, job.port)) for _ in range(job.connections)]
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.readline)
    seen, began = DoorsResult(), time.monotonic()
    await JOBS[job.what](job, connections, seen)
    ended = time.monotonic()
    for connection in connections:
        connection.close()
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
