"""A child process of `up`: start it, read its output, stop it.

It ends when its parent ends, however that happens, and its own children end with it.
"""

import asyncio
import ctypes
import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from authz_sidecar.contract.whole_files import replacing
from control_plane.errors import OperatorError
from control_plane.ops.processes import ProcessSpec

_LONGEST_LINE = 1024 * 1024
_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None)


class Child:
    """A running process; create it with `start`."""

    def __init__(self, spec: ProcessSpec, process: asyncio.subprocess.Process, pid_file: Path) -> None:
        self._spec = spec
        self._process = process
        self._pid_file = pid_file
        self._started = time.monotonic()
        self._reading: asyncio.Task[None] | None = None
        self.last_line = ""

    @classmethod
    async def start(cls, spec: ProcessSpec, run_folder: Path, log: Callable[[str], None]) -> "Child":
        """Start in a process group of its own, so that Ctrl-C reaches only `up`. Raise OperatorError if it cannot."""
        # Our own pipe: with asyncio's, wait() also waits for the pipe to close, and grandchildren may hold it open.
        reading, writing = os.pipe()
        try:
            process = await _spawn(spec, writing)
        except OSError as error:
            os.close(reading)
            raise OperatorError(f"{spec.name} cannot be started: {spec.argv[0]}: {error.strerror}.") from error
        finally:
            os.close(writing)
        child = cls(spec, process, run_folder / f"{spec.name}.pid")
        with replacing(child._pid_file) as writer:
            writer.write(b"%d\n" % process.pid)
        child._reading = asyncio.create_task(child._read(reading, log))
        return child

    @property
    def name(self) -> str:
        return self._spec.name

    @property
    def age(self) -> float:
        """Return the time since the start in seconds."""
        return time.monotonic() - self._started

    async def end(self) -> str:
        """Wait for the process to end, clean up after it, and return its exit code or signal as text."""
        code = await self._process.wait()
        self._kill_group()
        self._pid_file.unlink(missing_ok=True)
        if self._reading:
            await asyncio.wait({self._reading})
        return f"exit code {code}" if code >= 0 else signal.Signals(-code).name

    async def stop(self, grace_seconds: float) -> None:
        await self.terminate(grace_seconds)
        await self.end()

    async def terminate(self, grace_seconds: float) -> None:
        """Send the stop signal, and SIGKILL after the grace period. Does not clean up; another task awaits `end`."""
        self.signal(self._spec.stop_signal)
        try:
            await asyncio.wait_for(self._process.wait(), grace_seconds)
        except TimeoutError:
            self._kill_group()

    def signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            self._process.send_signal(number)

    def _kill_group(self) -> None:
        """Kill the whole group: the workers of a dead nginx master would keep the port."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)

    async def _read(self, descriptor: int, log: Callable[[str], None]) -> None:
        reader = asyncio.StreamReader(limit=_LONGEST_LINE)
        pipe = os.fdopen(descriptor, "rb", buffering=0)
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), pipe
        )
        try:
            while raw := await _read_line(reader):
                self.last_line = raw.decode(errors="replace").rstrip()
                log(self.last_line)
        finally:
            transport.close()


async def _spawn(spec: ProcessSpec, output: int) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *spec.argv,
        env=dict(spec.env),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        start_new_session=True,
        preexec_fn=_signal_on_parent_death(os.getpid(), spec.orphan_signal),  # safe: only this thread forks
    )


async def _read_line(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.readline()
    except ValueError:
        return b"[a line of more than a mebibyte]\n"


def _signal_on_parent_death(parent: int, number: signal.Signals) -> Callable[[], None]:
    """Return a function to run in the child before exec: it requests a signal on the parent's death (prctl(2))."""
    set_option = getattr(_LIBC, "prctl", None)

    def request_signal() -> None:
        if set_option:
            set_option(_PR_SET_PDEATHSIG, int(number), 0, 0, 0)
        if os.getppid() != parent:  # it died before the call
            os._exit(1)

    return request_signal
