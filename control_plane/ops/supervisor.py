"""Run the processes of a stack in the foreground: one prefixed log, restarts with back-off, an orderly stop.

Nothing that a child prints may reach the log unless it went through `redact`, and no child may outlive this process.
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
from typing import Any, Literal

from authz_sidecar.contract.redaction import redact
from control_plane.errors import OperatorError
from control_plane.ops import liveness
from control_plane.ops.child import Child
from control_plane.ops.processes import ProcessSpec, Stack
from control_plane.ops.reload import Reread, changed_services, changed_stack

LOCK_FILE = "up.lock"
READY_SECONDS = 60
STOP_SECONDS = 3
TOO_MANY_DEATHS = 5
DEATHS_WITHIN_SECONDS = 30
FIRST_DELAY_SECONDS = 0.1
LONGEST_DELAY_SECONDS = 10.0
_READY_POLL_SECONDS = 0.05
_LOG_CHECK_SECONDS = 2.0

Write = Callable[[str], None]


def print_line(line: str) -> None:
    print(line, flush=True)  # noqa: T201  the log of a foreground program


def run(
    stack: Stack,
    on_ready: Callable[[], None],
    write: Write = print_line,
    warning: str | None = None,
    reread: Reread | None = None,
) -> None:
    """Run until SIGINT or SIGTERM. Raise OperatorError if a child cannot start or dies too often.

    SIGHUP applies changed settings, which `reread` returns; under `nohup` it is ignored.
    """
    with exclusive_lock(stack.run_folder):
        _check_port_is_free(*stack.listen)
        supervisor = Supervisor(stack, on_ready, write, reread)
        if warning:
            supervisor.warn(warning)
        asyncio.run(supervisor.run())


class Supervisor:
    def __init__(self, stack: Stack, on_ready: Callable[[], None], write: Write, reread: Reread | None = None) -> None:
        self._stack = stack
        self._on_ready = on_ready
        self._write = write
        self._reread = reread
        self._specs = {spec.name: spec for spec in stack.processes}
        self._replaced: set[str] = set()  # stopped in order to be restarted with changed settings
        self._settings_before: dict[
            str, ProcessSpec
        ] = {}  # previous specs of those that are not ready yet after a reload
        self._width = max(len(spec.name) for spec in stack.processes)
        self._deaths: deque[tuple[float, str]] = deque(maxlen=TOO_MANY_DEATHS)
        self._children: dict[str, Child] = {}
        self._ready: set[str] = set()

    async def run(self) -> None:
        stop, hangup = asyncio.Event(), asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # nohup(1) ignores it
            asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, hangup.set)
        serving, stopped = asyncio.create_task(self._serve(hangup)), asyncio.create_task(stop.wait())
        try:
            await asyncio.wait((serving, stopped), return_when=asyncio.FIRST_COMPLETED)
        finally:
            await _cancel(serving, stopped)
            await self._stop_all()
        if not serving.cancelled():
            serving.result()

    async def _serve(self, hangup: asyncio.Event) -> None:
        """Start tier after tier, each when the previous one is ready; nginx, which opens the public port, is last."""
        keepers: list[asyncio.Task[None]] = []
        try:
            for tier in self._stack.tiers:
                keepers += [asyncio.create_task(self._keep_running(spec.name)) for spec in tier]
                await _first_failure(asyncio.gather(*(self._wait_ready(spec) for spec in tier)), *keepers)
            self._on_ready()
            keepers += [asyncio.create_task(self._reload_on(hangup)), asyncio.create_task(self._rotate_access_log())]
            await asyncio.gather(*keepers)
        finally:
            await _cancel(*keepers)

    async def _keep_running(self, name: str) -> None:
        delay = FIRST_DELAY_SECONDS
        while True:
            child = await self._start(self._specs[name])
            reason = await self._wait_for_end(child, self._specs[name])
            if self._ended_for_reload(child, reason):
                continue
            if name not in self._ready:
                raise OperatorError(f"{name} did not start ({reason}): {child.last_line or 'it printed nothing'}")
            self._count_death(name, reason)
            if child.age > DEATHS_WITHIN_SECONDS:
                delay = FIRST_DELAY_SECONDS
            self._log("streamgate", f"{name} died ({reason}); restarting it in {delay:g} s")
            await asyncio.sleep(delay)
            delay = min(delay * 3, LONGEST_DELAY_SECONDS)

    async def _wait_for_end(self, child: Child, spec: ProcessSpec) -> str:
        """Wait for a child to end; stop it if it hangs."""
        if spec.is_alive is None:
            return await child.end()
        ending = asyncio.create_task(child.end())
        hanging = asyncio.create_task(liveness.until_it_hangs(child, spec.is_alive))
        try:
            await asyncio.wait((ending, hanging), return_when=asyncio.FIRST_COMPLETED)
            if not ending.done():
                self._log("streamgate", f"{spec.name} does not answer any more and is replaced")
                await child.stop(STOP_SECONDS)
            return await ending
        finally:
            await _cancel(ending, hanging)

    def _ended_for_reload(self, child: Child, reason: str) -> bool:
        """Return whether it ended for a reload: replaced, or failed with the changed settings (the old ones return)."""
        name = child.name
        if name in self._replaced:
            self._replaced.discard(name)
            return True
        before = self._settings_before.pop(name, None)
        if before is None:
            return False
        self._specs[name] = before
        self._log(
            "streamgate", f"{name} does not start with the changed settings ({reason}); the old ones remain in force"
        )
        return True

    async def _reload_on(self, hangup: asyncio.Event) -> None:
        while True:
            await hangup.wait()
            hangup.clear()
            try:
                await self._reload()
            except OperatorError as error:
                self._log("streamgate", f"SIGHUP: everything goes on as before. {error}")

    async def _reload(self) -> None:
        """Apply changed settings: restart services one by one, reload nginx without a pause. Raise OperatorError."""
        if self._reread is None:
            return
        changed = await asyncio.to_thread(changed_stack, self._stack, self._reread)
        services = [*changed_services(self._stack, changed)]
        for spec in services:
            await self._replace(spec)
        self._stack = changed
        reloaded = [spec for spec in changed.processes if spec.reload_signal]
        for spec in reloaded:
            self._specs[spec.name] = spec
        self._signal("reload_signal")
        done = [f"{spec.name} reloaded" for spec in reloaded] + [f"{spec.name} started again" for spec in services]
        self._log("streamgate", f"SIGHUP: {', '.join(done)}.")

    def _signal(self, kind: Literal["reload_signal", "reopen_log_signal"]) -> None:
        for spec in self._stack.processes:
            if number := getattr(spec, kind):
                self._children[spec.name].signal(number)

    async def _replace(self, spec: ProcessSpec) -> None:
        """Restart a service with changed settings; return when it is ready, with the new settings or the old ones."""
        name = spec.name
        self._settings_before[name], self._specs[name] = self._specs[name], spec
        self._replaced.add(name)
        await self._children[name].terminate(STOP_SECONDS)
        await self._wait_ready(spec)
        self._settings_before.pop(name, None)

    async def _rotate_access_log(self) -> None:
        """Keep the access log within its size."""
        while True:
            await asyncio.sleep(_LOG_CHECK_SECONDS)
            site = self._stack.site
            with suppress(OSError):
                if site and site.access_log.rotate():
                    self._signal("reopen_log_signal")

    async def _start(self, spec: ProcessSpec) -> Child:
        child = await Child.start(spec, self._stack.run_folder, lambda line: self._log(spec.name, line))
        self._children[spec.name] = child
        return child

    def _count_death(self, name: str, reason: str) -> None:
        now = time.monotonic()
        self._deaths.append((now, name))
        if len(self._deaths) == TOO_MANY_DEATHS and now - self._deaths[0][0] <= DEATHS_WITHIN_SECONDS:
            names = ", ".join(sorted({dead for _, dead in self._deaths}))
            raise OperatorError(
                f"{TOO_MANY_DEATHS} deaths within {DEATHS_WITHIN_SECONDS} s ({names}; the last one: {name}, {reason})."
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
        # The reader of the log may be gone (a closed terminal): keep serving viewers.
        with suppress(OSError):
            self._write(f"{name:<{self._width}} | {redact(line)}")


async def _first_failure(wanted: asyncio.Future[Any], *keepers: asyncio.Future[Any]) -> None:
    """Wait for `wanted`, or raise the error of a keeper that ends first."""
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
def exclusive_lock(run_folder: Path) -> Iterator[None]:
    """Lock the home: a second `up` would take over the first one's sockets. Raise OperatorError if it is locked."""
    with (run_folder / LOCK_FILE).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise OperatorError(f"{run_folder.parent} is up already.") from error
        yield


def _check_port_is_free(host: str, port: int) -> None:
    """Check the port before anything is started: nginx itself tries five times and then exits with an unclear error."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            reason = os.strerror(error.errno or 0).lower()
            raise OperatorError(f"Port {port} on {host} cannot be opened: {reason}.") from error
