"""Supervision of real processes: small ones that misbehave in every way, without StreamGate."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from control_plane.errors import OperatorError
from control_plane.ops import liveness, supervisor
from control_plane.ops.processes import HttpProbe, ProcessSpec, Stack
from control_plane.ops.supervisor import Supervisor
from tests.support.services.ports import free_port
from tests.support.waiting import eventually

STAY = "while :; do sleep 1; done"


async def at_once() -> bool:
    return True


async def never() -> bool:
    return False


def process(name: str, script: str, is_ready: Callable[..., object] = at_once) -> ProcessSpec:
    return ProcessSpec(name, ("/bin/sh", "-c", script), {"PATH": os.defpath}, is_ready)  # type: ignore[arg-type]


def stack_of(folder: Path, control: ProcessSpec, sidecar: ProcessSpec | None = None) -> Stack:
    gate = sidecar or process("sidecar-1", STAY)
    return Stack(folder, ("127.0.0.1", free_port()), ((control,), (gate,), (process("nginx", STAY),)))


def pid_of(folder: Path, name: str) -> int:
    return int((folder / f"{name}.pid").read_text())


def is_alive(pid: int) -> bool:
    """Return whether it runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


class Observed:
    """Run a supervisor, observe it, then stop it."""

    def __init__(self, stack: Stack) -> None:
        self.lines: list[str] = []
        self.ready = asyncio.Event()
        self._supervisor = Supervisor(stack, self.ready.set, self.lines.append)

    async def while_running(self, check: Callable[[], object]) -> None:
        """Wait until it is ready and `look` is true, then stop it as Ctrl-C does."""
        running = asyncio.create_task(self._supervisor.run())
        async with asyncio.timeout(90):
            await self.ready.wait()
            while not check():  # noqa: ASYNC110  what is looked at tells nobody
                await asyncio.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)
        await running

    def run(self) -> None:
        asyncio.run(self._supervisor.run())


def test_lines_have_the_name_of_their_process(tmp_path: Path) -> None:
    observed = Observed(stack_of(tmp_path, process("control", f"echo hello; echo oops >&2; {STAY}")))
    asyncio.run(observed.while_running(lambda: len(observed.lines) >= 2))
    assert observed.lines[:2] == ["control   | hello", "control   | oops"]


def test_no_token_reaches_the_log(tmp_path: Path) -> None:
    request = 'open() failed, request: "GET /t/eyJhbGciOi.eyJzdWIi.c2ln/streams/a.ts?__token=eyJhbGciOi HTTP/1.1"'
    observed = Observed(stack_of(tmp_path, process("control", f"echo '{request}'; {STAY}")))
    asyncio.run(observed.while_running(lambda: observed.lines))
    assert "/streams/a.ts" in observed.lines[0]
    assert "eyJ" not in observed.lines[0]


def test_a_line_without_end_is_harmless(tmp_path: Path) -> None:
    script = f"head -c 3000000 /dev/zero | tr '\\0' x; echo; echo after; {STAY}"
    observed = Observed(stack_of(tmp_path, process("control", script)))
    asyncio.run(observed.while_running(lambda: any(line.endswith("| after") for line in observed.lines)))


def test_a_killed_child_is_restarted_at_once(tmp_path: Path) -> None:
    observed = Observed(stack_of(tmp_path, process("control", STAY)))
    killed: list[int] = []

    def kill_and_see_it_back() -> bool:
        pid_file = tmp_path / "control.pid"
        pid = int(pid_file.read_text() or 0) if pid_file.exists() else 0
        if not killed:
            os.kill(pid, signal.SIGKILL)
            killed.append(pid)
        return pid not in {0, killed[0]}

    asyncio.run(observed.while_running(kill_and_see_it_back))
    assert any("control died (SIGKILL)" in line for line in observed.lines)


def test_a_hung_child_that_ignores_signals_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(liveness, "ASK_EVERY_SECONDS", 0.1)
    monkeypatch.setattr(supervisor, "STOP_SECONDS", 0.2)
    port = free_port()
    probe = HttpProbe(f"http://127.0.0.1:{port}/", timeout_seconds=1.0)
    argv = (sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1", "--directory", str(tmp_path))
    observed = Observed(stack_of(tmp_path, ProcessSpec("control", argv, {}, probe, is_alive=probe)))
    frozen: list[int] = []

    def freeze_and_see_another_answer() -> bool:
        if not frozen and sum('"GET / ' in line for line in observed.lines) >= 3:
            frozen.append(pid_of(tmp_path, "control"))
            os.kill(frozen[0], signal.SIGSTOP)
            observed.lines.clear()
        return bool(frozen) and not is_alive(frozen[0]) and any('"GET / ' in line for line in observed.lines)

    asyncio.run(observed.while_running(freeze_and_see_another_answer))
    assert any("control does not answer any more and is replaced" in line for line in observed.lines)


def test_workers_of_a_killed_child_die_with_it(tmp_path: Path) -> None:
    observed = Observed(stack_of(tmp_path, process("control", f"sleep 1000 & echo $!; {STAY}")))

    def check() -> bool:
        workers = [int(line.split("|")[1]) for line in observed.lines if line.startswith("control ")]
        if len(workers) == 1 and not killed:
            os.kill(pid_of(tmp_path, "control"), signal.SIGKILL)
            killed.append(workers[0])
        return len(workers) == 2 and not is_alive(killed[0])

    killed: list[int] = []
    asyncio.run(observed.while_running(check))


def test_a_child_that_keeps_dying_stops_everything_and_is_named(tmp_path: Path) -> None:
    observed = Observed(stack_of(tmp_path, process("control", STAY), process("sidecar-1", "exit 3")))
    with pytest.raises(OperatorError, match=r"5 deaths within 30 s \(sidecar-1; .*exit code 3"):
        observed.run()
    assert not list(tmp_path.glob("*.pid"))


def test_a_child_that_cannot_start_is_not_started_again(tmp_path: Path) -> None:
    observed = Observed(stack_of(tmp_path, process("control", "echo PORT is odd. >&2; exit 1", never)))
    with pytest.raises(OperatorError, match=r"control did not start \(exit code 1\): PORT is odd\."):
        observed.run()
    assert observed.lines == ["control   | PORT is odd."]


def test_a_missing_program_is_reported(tmp_path: Path) -> None:
    missing = ProcessSpec("control", ("/nowhere/at/all",), {}, at_once)
    with pytest.raises(OperatorError, match="control cannot be started: /nowhere/at/all"):
        Observed(stack_of(tmp_path, missing)).run()


def test_a_child_starts_only_after_the_previous_one_is_ready(tmp_path: Path) -> None:
    async def is_ready() -> bool:
        return (tmp_path / "made").exists()

    control = process("control", f"sleep 0.3; touch {tmp_path}/made; {STAY}", is_ready)
    sidecar = process("sidecar-1", f"ls {tmp_path}/made; {STAY}")
    observed = Observed(stack_of(tmp_path, control, sidecar))
    asyncio.run(observed.while_running(lambda: observed.lines))
    assert observed.lines == [f"sidecar-1 | {tmp_path}/made"]


def test_a_child_that_does_not_stop_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "STOP_SECONDS", 0.2)
    observed = Observed(stack_of(tmp_path, process("control", f"trap '' TERM; echo deaf; {STAY}")))
    pids: list[int] = []

    def check() -> bool:
        pids[:] = [pid_of(tmp_path, name) for name in ("control", "sidecar-1", "nginx")]
        return bool(observed.lines)

    asyncio.run(observed.while_running(check))
    assert not [pid for pid in pids if is_alive(pid)]


def test_a_port_in_use_is_reported_before_anything_starts(tmp_path: Path) -> None:
    described = stack_of(tmp_path, process("control", f"touch {tmp_path}/started; {STAY}"))
    with socket.create_server(described.listen), pytest.raises(OperatorError, match="address already in use"):
        supervisor.run(described, on_ready=lambda: None)
    assert not (tmp_path / "started").exists()


def test_children_do_not_outlive_a_killed_supervisor(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; sys.path.insert(0, '.')\n"
        "from tests.integration.test_supervisor import *\n"
        f"folder = Path({str(tmp_path)!r})\n"
        "supervisor.run(stack_of(folder, process('control', STAY)), on_ready=lambda: print('ready', flush=True))\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as parent:
        assert parent.stdout
        assert parent.stdout.readline() == b"ready\n"
        eventually((tmp_path / "nginx.pid").exists)
        pids = [pid_of(tmp_path, name) for name in ("control", "sidecar-1", "nginx")]
        parent.kill()
    eventually(lambda: not [pid for pid in pids if is_alive(pid)], what="the end of all children")
