"""One running child of `up`: its start, its lines, its end.

It dies with its parent, however the parent dies, and takes its own children along.
"""

import asyncio
import ctypes
import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from control_plane.errors import OperatorError
from control_plane.ops.processes import ProcessSpec

_LONGEST_LINE = 1024 * 1024
_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None)


class Child:
    """A started process; `start` makes it."""

    def __init__(self, spec: ProcessSpec, process: asyncio.subprocess.Process, pid_file: Path) -> None:
        self._spec = spec
        self._process = process
        self._pid_file = pid_file
        self._started = time.monotonic()
        self._reading: asyncio.Task[None] | None = None
        self.last_line = ""

    @classmethod
    async def start(cls, spec: ProcessSpec, run_folder: Path, log: Callable[[str], None]) -> "Child":
        """Start in a process group of its own, so that Ctrl-C reaches only `up`. Raise OperatorError when it cannot."""
        # A pipe of ours, because asyncio's waits for the end of the pipe too, which the child's children may hold open.
        reading, writing = os.pipe()
        try:
            process = await _spawn(spec, writing)
        except OSError as error:
            os.close(reading)
            raise OperatorError(f"{spec.name} cannot be started: {spec.argv[0]}: {error.strerror}.") from error
        finally:
            os.close(writing)
        child = cls(spec, process, run_folder / f"{spec.name}.pid")
        aside = child._pid_file.with_suffix(".new")  # whoever reads it finds a whole number
        aside.write_text(f"{process.pid}\n", encoding="ascii")
        aside.replace(child._pid_file)
        child._reading = asyncio.create_task(child._read(reading, log))
        return child

    @property
    def name(self) -> str:
        return self._spec.name

    @property
    def age(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._started

    async def end(self) -> str:
        """Wait for the end, clear away what it leaves behind and say how it came."""
        code = await self._process.wait()
        self._kill_group()
        self._pid_file.unlink(missing_ok=True)
        if self._reading:
            await asyncio.wait({self._reading})
        return f"exit code {code}" if code >= 0 else signal.Signals(-code).name

    async def stop(self, grace_seconds: float) -> None:
        await self.let_go(grace_seconds)
        await self.end()

    async def let_go(self, grace_seconds: float) -> None:
        """Ask it to stop and kill it when it does not. Somebody else waits for its end."""
        self.signal(self._spec.stop_signal)
        try:
            await asyncio.wait_for(self._process.wait(), grace_seconds)
        except TimeoutError:
            self._kill_group()

    def signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            self._process.send_signal(number)

    def _kill_group(self) -> None:
        """Kill the workers of a dead nginx master too, else they would keep the port."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)

    async def _read(self, descriptor: int, log: Callable[[str], None]) -> None:
        reader = asyncio.StreamReader(limit=_LONGEST_LINE)
        pipe = os.fdopen(descriptor, "rb", buffering=0)
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), pipe
        )
        try:
            while raw := await _line(reader):
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
        preexec_fn=_dies_with(os.getpid(), spec.orphan_signal),  # safe: only this thread forks
    )


async def _line(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.readline()
    except ValueError:
        return b"[a line of more than a mebibyte]\n"


def _dies_with(parent: int, number: signal.Signals) -> Callable[[], None]:
    """Make what runs in the child before exec: ask Linux for a signal when the parent dies (prctl(2))."""
    set_option = getattr(_LIBC, "prctl", None)

    def ask() -> None:
        if set_option:
            set_option(_PR_SET_PDEATHSIG, int(number), 0, 0, 0)
        if os.getppid() != parent:  # it died in between
            os._exit(1)

    return ask
