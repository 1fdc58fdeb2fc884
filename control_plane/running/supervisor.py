"""Keeps the processes of a stack alive in the foreground: one prefixed log, restarts with back-off, an orderly stop.

Nothing that a child prints may reach the log before it went through `redact`, and no child may outlive this process.
"""

import asyncio
import fcntl
import os
import signal
import socket
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from authz_sidecar.contract.redaction import redact
from control_plane.running.child import Child
from control_plane.running.home import OperatorError
from control_plane.running.processes import ProcessSpec, Stack

LOCK_FILE = "up.lock"
READY_SECONDS = 60
STOP_SECONDS = 3
TOO_MANY_DEATHS = 5
DEATHS_WITHIN_SECONDS = 30
FIRST_DELAY_SECONDS = 0.1
LONGEST_DELAY_SECONDS = 10.0
_READY_POLL_SECONDS = 0.05

Write = Callable[[str], None]


def print_line(line: str) -> None:
    print(line, flush=True)  # noqa: T201  the log of a foreground program


def run(stack: Stack, on_ready: Callable[[], None], write: Write = print_line, warning: str | None = None) -> None:
    """Run until SIGINT or SIGTERM. Raise OperatorError when a child cannot start or dies too often."""
    with only_one(stack.run_folder):
        _check_port_is_free(*stack.listen)
        supervisor = Supervisor(stack, on_ready, write)
        if warning:
            supervisor.warn(warning)
        asyncio.run(supervisor.run())


class Supervisor:
    def __init__(self, stack: Stack, on_ready: Callable[[], None], write: Write) -> None:
        self._stack = stack
        self._on_ready = on_ready
        self._write = write
        self._width = max(len(spec.name) for spec in stack.processes)
        self._deaths: deque[tuple[float, str]] = deque(maxlen=TOO_MANY_DEATHS)
        self._children: dict[str, Child] = {}
        self._ready: set[str] = set()

    async def run(self) -> None:
        stop = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        serving, stopped = asyncio.create_task(self._serve()), asyncio.create_task(stop.wait())
        try:
            await asyncio.wait((serving, stopped), return_when=asyncio.FIRST_COMPLETED)
        finally:
            await _cancel(serving, stopped)
            await self._stop_all()
        if not serving.cancelled():
            serving.result()

    async def _serve(self) -> None:
        """Open tier after tier, each when the one before is ready: nginx, and with it the public port, comes last."""
        keepers: list[asyncio.Task[None]] = []
        try:
            for tier in self._stack.tiers:
                keepers += [asyncio.create_task(self._keep(spec)) for spec in tier]
                await _first_failure(asyncio.gather(*(self._wait_ready(spec) for spec in tier)), *keepers)
            self._on_ready()
            await asyncio.gather(*keepers)
        finally:
            await _cancel(*keepers)

    async def _keep(self, spec: ProcessSpec) -> None:
        delay = FIRST_DELAY_SECONDS
        while True:
            child = await self._start(spec)
            how = await child.end()
            if spec.name not in self._ready:
                raise OperatorError(f"{spec.name} did not start ({how}): {child.last_line or 'it said nothing'}")
            self._count_death(spec.name, how)
            if child.age > DEATHS_WITHIN_SECONDS:
                delay = FIRST_DELAY_SECONDS
            self._log("streamgate", f"{spec.name} died ({how}), starting it again in {delay:g} s")
            await asyncio.sleep(delay)
            delay = min(delay * 3, LONGEST_DELAY_SECONDS)

    async def _start(self, spec: ProcessSpec) -> Child:
        child = await Child.start(spec, self._stack.run_folder, lambda line: self._log(spec.name, line))
        self._children[spec.name] = child
        return child

    def _count_death(self, name: str, how: str) -> None:
        now = time.monotonic()
        self._deaths.append((now, name))
        if len(self._deaths) == TOO_MANY_DEATHS and now - self._deaths[0][0] <= DEATHS_WITHIN_SECONDS:
            names = ", ".join(sorted({dead for _, dead in self._deaths}))
            raise OperatorError(
                f"{TOO_MANY_DEATHS} deaths within {DEATHS_WITHIN_SECONDS} s ({names}; the last one: {name}, {how})."
            )

    async def _wait_ready(self, spec: ProcessSpec) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while not await spec.is_ready():
            if time.monotonic() > deadline:
                raise OperatorError(f"{spec.name} is not ready after {READY_SECONDS} s.")
            await asyncio.sleep(_READY_POLL_SECONDS)
        self._ready.add(spec.name)

    async def _stop_all(self) -> None:
        for tier in reversed(self._stack.tiers):
            running = [self._children[spec.name] for spec in tier if spec.name in self._children]
            await asyncio.gather(*(child.stop(STOP_SECONDS) for child in running))

    def warn(self, sentence: str) -> None:
        self._log("streamgate", f"warning: {sentence}")

    def _log(self, name: str, line: str) -> None:
        # The reader of the log may be gone (a closed terminal): that is no reason to leave the viewers alone.
        with suppress(OSError):
            self._write(f"{name:<{self._width}} | {redact(line)}")


async def _first_failure(wanted: asyncio.Future[Any], *keepers: asyncio.Future[Any]) -> None:
    """Wait for what is wanted, or raise what ended one of the keepers before."""
    try:
        done, _ = await asyncio.wait((wanted, *keepers), return_when=asyncio.FIRST_COMPLETED)
        for finished in done:
            finished.result()
    finally:
        await _cancel(wanted)


async def _cancel(*tasks: asyncio.Future[Any]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@contextmanager
def only_one(run_folder: Path) -> Iterator[None]:
    """Hold the home: a second `up` would take the first one's sockets away. Raise OperatorError when it is held."""
    with (run_folder / LOCK_FILE).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise OperatorError(f"{run_folder.parent} is up already.") from error
        yield


def _check_port_is_free(host: str, port: int) -> None:
    """Ask before anything is started: nginx itself would try five times and then die without a clear word."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            reason = os.strerror(error.errno or 0).lower()
            raise OperatorError(f"Port {port} on {host} cannot be opened: {reason}.") from error
