"""A whole StreamGate under test: the processes that `up` runs; tests can kill and restart each of them."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, ClassVar, Final, Self, TypeVar

from argon2 import PasswordHasher

from control_plane.ops.processes import ProcessSpec, Stack, prepare_stack
from tests.support import leaks
from tests.support.services.forks import PYTHON, Fork, fork
from tests.support.services.home import new_home
from tests.support.services.ports import free_port
from tests.support.threads import in_thread
from tests.support.waiting import eventually

T = TypeVar("T")
ADMIN_PASSWORD = "correct horse battery staple"
# Deliberately weak: every test's organiser signs in, and a strong hash takes a tenth of a second each time.
_WEAK_HASH: Final = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(ADMIN_PASSWORD)
_REDACT: Final = (sys.executable, "-m", "authz_sidecar.redact")


class Service:
    """One process. Its output goes to a file, which is shown if it does not start and searched when it stops.

    nginx is `redacted`: its output is piped through the redaction filter, as operators do, since it contains secrets.
    """

    forks: ClassVar[bool] = False  # set in tests: Python processes then start without importing modules

    def __init__(self, spec: ProcessSpec, log: Path, *, redacted: bool = False) -> None:
        self.spec = spec
        self.log = log
        self.redacted = redacted
        self._process: subprocess.Popen[bytes] | Fork | None = None
        self._pipe: subprocess.Popen[bytes] | None = None

    def start(self, **env: str) -> None:
        if self.forks and self.spec.argv[:2] == PYTHON:
            self._process = fork(self.spec.argv, {**self.spec.env, **env}, self.log)
            return
        with self.log.open("ab") as log:
            if self.redacted:
                self._pipe = _started(_REDACT, os.environ, subprocess.PIPE, log)
            output = self._pipe.stdin if self._pipe else log
            self._process = _started(self.spec.argv, {**self.spec.env, **env}, subprocess.DEVNULL, output)
            if self._pipe and self._pipe.stdin:
                self._pipe.stdin.close()

    def wait_ready(self, within: float = 90.0) -> None:
        eventually(self._is_ready, within, what=lambda: f"{self.spec.name} printed: {self.printed()}\nIts being ready")

    def _is_ready(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, f"{self.spec.name} died: {self.printed()}"
        return in_thread(lambda: asyncio.run(self._ask()))

    async def _ask(self) -> bool:
        return await self.spec.is_ready()

    def printed(self) -> str:
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def kill(self) -> None:
        """Kill it and its workers, like a power failure."""
        self._signal_group(signal.SIGKILL)

    def end(self) -> None:
        self._signal_group(signal.SIGTERM)

    def stop(self) -> None:
        """End it; fail if its log contains a secret."""
        self.end()
        leaks.check([self.log] if self.log.exists() else [])

    def freeze(self) -> None:
        self._send(signal.SIGSTOP)

    def thaw(self) -> None:
        self._send(signal.SIGCONT)

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def pids(self) -> dict[str, int]:
        """The process ids of the process and of its output filter, by name."""
        return {self.spec.name: self.pid} | ({f"{self.spec.name}'s pipe": self._pipe.pid} if self._pipe else {})

    def _send(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def _signal_group(self, number: signal.Signals) -> None:
        if self._process is None:
            return
        if self._process.poll() is None:
            with suppress(ProcessLookupError):  # it may end at this very moment
                os.killpg(self._process.pid, number)
        self._process.wait(timeout=20)
        if self._pipe:
            self._pipe.wait(timeout=20)
        self._process = self._pipe = None


def _started(
    argv: Sequence[str], env: Mapping[str, str], stdin: int, output: IO[bytes] | None
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(argv, env=env, stdin=stdin, stdout=output, stderr=output, start_new_session=True)


class StackUnderTest:
    """Control plane, sidecars and nginx of one home, on a free port unless one is given. They run in a `with` block."""

    def __init__(
        self,
        home: Path,
        sidecars: int = 1,
        settings: Mapping[str, str] | None = None,
        nginx_workers: str = "1",
        port: int | None = None,
    ) -> None:
        self.home = home
        new_home(home, ADMIN_PASSWORD, port or free_port())
        with (home / ".env").open("a") as file:
            file.write(f"ADMIN_PASSWORD_HASH='{_WEAK_HASH}'\n")
            file.writelines(f"{name}={value}\n" for name, value in (settings or {}).items())
        self.described: Stack = prepare_stack(home, sidecars, worker_processes=nginx_workers)
        (home / "log").mkdir(exist_ok=True)
        (control,), gate, (nginx,) = self.described.tiers
        self.control_plane = self._service(control)
        self.sidecars = [self._service(spec) for spec in gate if spec.name != "fetcher"]
        self.fetchers = [self._service(spec) for spec in gate if spec.name == "fetcher"]
        self.nginx = self._service(nginx, redacted=True)

    def _service(self, spec: ProcessSpec, *, redacted: bool = False) -> Service:
        return Service(spec, self.home / "log" / f"{spec.name}.log", redacted=redacted)

    @property
    def url(self) -> str:
        return self.described.url

    @property
    def streams(self) -> Path:
        return self.home / "streams"

    @property
    def services(self) -> list[Service]:
        return [self.control_plane, *self.sidecars, *self.fetchers, self.nginx]

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        for service in self.services:
            service.start()
            service.wait_ready()

    def stop(self) -> None:
        """End all processes; fail if any log contains a secret."""
        for service in reversed(self.services):
            service.end()
        leaks.check_home(self.home)
