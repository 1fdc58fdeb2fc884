"""Python processes without seconds of imports: each is forked from a server process that has imported our modules.

It runs what `python -m MODULE` runs, in a separate process with its own environment. Tests of `up` start it as users
do. Benchmarks never fork, so that their processes share no memory.
"""

import multiprocessing
import os
import runpy
import sys
import time
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from io import StringIO
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path
from subprocess import CompletedProcess, TimeoutExpired
from tempfile import TemporaryDirectory

from tests.support.waiting import eventually

PYTHON = (sys.executable, "-m")
_MODULES = ["control_plane.app", "control_plane.cli", "authz_sidecar.app", "authz_sidecar.fast_lane"]
_MODULES += ["authz_sidecar.serving", "authz_sidecar.origin_fetcher.app", "tests.support.services.forks"]


@dataclass(frozen=True)
class Fork:
    """The part of `subprocess.Popen` that a Service needs."""

    argv: Sequence[str]
    process: ForkServerProcess

    @property
    def pid(self) -> int:
        assert self.process.pid
        return self.process.pid

    def poll(self) -> int | None:
        return self.process.exitcode

    def wait(self, timeout: float) -> int:
        """Return the exit code, negative for a signal. Raise TimeoutExpired."""
        self.process.join(timeout)
        if self.process.exitcode is None:
            raise TimeoutExpired(self.argv, timeout)
        return self.process.exitcode


def fork(
    argv: Sequence[str], env: Mapping[str, str], output: Path, errors: Path | None = None, answers: str = ""
) -> Fork:
    """Run `python -m MODULE WORDS` in its own session; append its output to one file, or to two. It reads `answers`."""
    assert argv[:2] == PYTHON, argv
    given = (argv[2:], dict(env), (output, errors or output), answers)
    process = _server().Process(target=_run, args=given, daemon=True)
    process.start()
    running = Fork(argv, process)
    eventually(lambda: _leads_its_group(running.pid), every=0.001, what="a signal to its group finds it")
    return running


def run(
    *argv: object, env: Mapping[str, str] = os.environ, within: float = 60, answers: str = ""
) -> CompletedProcess[str]:
    """Run `python -m MODULE WORDS` like `subprocess.run`; return its output."""
    words = (*PYTHON, *map(str, argv))
    with TemporaryDirectory() as folder:
        output, errors = Path(folder, "output"), Path(folder, "errors")
        code = fork(words, env, output, errors, answers).wait(within)
        return CompletedProcess(words, code, output.read_text(), errors.read_text())


def streamgate(*words: object, within: float = 60) -> CompletedProcess[str]:
    """Run a command in a separate process, as a shell does."""
    return run("control_plane.cli", *words, within=within)


def _leads_its_group(pid: int) -> bool:
    try:
        return os.getpgid(pid) == pid
    except ProcessLookupError:
        return True  # it has ended already


@cache
def _server() -> ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_MODULES)
    return context


def _run(words: Sequence[str], env: Mapping[str, str], printed: tuple[Path, Path], answers: str) -> None:
    os.setsid()
    sys.stdin = StringIO(answers)
    for stream, file in enumerate(printed, start=1):
        os.dup2(os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644), stream)
    sys.stdout, sys.stderr = (open(stream, "w", buffering=1, closefd=False) for stream in (1, 2))  # noqa: SIM115
    os.environ.clear()
    os.environ.update(env)
    time.tzset()
    if action := env.get("PYTHONWARNINGS"):
        assert action == "error", action
        warnings.simplefilter("error")
    sys.argv = list(words)
    runpy.run_module(words[0], run_name="__main__", alter_sys=True)
