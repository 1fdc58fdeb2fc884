"""`streamgate up` as an operator uses it: one command in the foreground, with all real processes."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import httpx2
import pytest
from dotenv import dotenv_values

from control_plane.ops.home import public_port, read_environment
from tests.support import leaks
from tests.support.services.home import new_home
from tests.support.services.ports import free_port
from tests.support.variants import short_or_long
from tests.support.waiting import eventually

STREAMGATE = (sys.executable, "-c", "from control_plane.cli import main; main()")
Start = Callable[..., subprocess.Popen[str]]
HEEDS_HANG_UPS = "env", "--default-signal=HUP"  # even if the tests run under nohup


@pytest.fixture
def home(tmp_path: Path) -> Path:
    new_home(tmp_path / "home", port=free_port())
    return tmp_path / "home"


@pytest.fixture
def start(home: Path) -> Iterator[Start]:
    started: list[subprocess.Popen[str]] = []

    def up(*options: str, prefix: Sequence[str] = HEEDS_HANG_UPS, **variables: str) -> subprocess.Popen[str]:
        with (home / "up.log").open("w") as log:
            running = subprocess.Popen(
                [*prefix, *STREAMGATE, "up", "--home", str(home), *options],
                env={**os.environ, **variables},
                stdout=log,
                stderr=log,
            )
        started.append(running)  # type: ignore[arg-type]
        return running  # type: ignore[return-value]

    yield up
    for running in started:
        running.kill()
        running.wait()
    leaks.check_home(home, home / "up.log")


def health(home: Path) -> int:
    try:
        return httpx2.get(f"http://127.0.0.1:{public_port(read_environment(home))}/health", timeout=30).status_code
    except httpx2.TransportError:
        return 0


def is_up(home: Path) -> bool:
    return "StreamGate is up at" in (home / "up.log").read_text()


def pids(home: Path) -> dict[str, int]:
    known = {}
    for file in (home / "run").glob("*.pid"):
        with suppress(FileNotFoundError):  # a process that has died removes it
            known[file.stem] = int(file.read_text())
    return known


def still_alive(known: dict[str, int]) -> set[str]:
    return {name for name, pid in known.items() if Path(f"/proc/{pid}/cmdline").exists() and not _is_zombie(pid)}


def _is_zombie(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def failure(home: Path, *options: str) -> str:
    """Run `up`, which must fail with one sentence; return it."""
    done = subprocess.run(
        [*STREAMGATE, "up", "--home", str(home), *options], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    return done.stderr.strip()


def test_everything_starts_a_killed_sidecar_is_restarted_and_sigterm_ends_it_cleanly(home: Path, start: Start) -> None:
    running = start("--sidecars", "2")
    eventually(lambda: is_up(home), within=60)
    assert health(home) == 200
    before = pids(home)
    assert set(before) == {"control", "sidecar-1", "sidecar-2", "nginx"}

    httpx2.get(f"http://127.0.0.1:{public_port(read_environment(home))}/", timeout=30)
    subprocess.run(["kill", "-KILL", str(before["sidecar-1"])], check=True)
    eventually(lambda: pids(home).get("sidecar-1", before["sidecar-1"]) != before["sidecar-1"], within=30)
    eventually(lambda: health(home) == 200, within=30)

    everybody = pids(home)
    running.send_signal(signal.SIGTERM)
    assert running.wait(timeout=20) == 0
    assert not still_alive(everybody)
    assert not pids(home)


def test_no_process_outlives_a_killed_up_and_the_next_one_starts(home: Path, start: Start) -> None:
    first = start()
    eventually(lambda: is_up(home), within=60)
    everybody = pids(home)
    first.kill()
    first.wait()
    eventually(lambda: not still_alive(everybody), within=10, what="the end of all children")
    start()
    eventually(lambda: is_up(home), within=60)
    assert health(home) == 200


def test_a_second_up_of_the_same_home_is_refused(home: Path, start: Start) -> None:
    start()
    eventually(lambda: is_up(home), within=60)
    assert re.search("home is up already", failure(home))
    assert health(home) == 200


@pytest.mark.parametrize(
    ("setting", "sentence"),
    [
        ("EDGE_NAME='no spaces'", "EDGE_NAME"),  # of a sidecar
        ("PLAYBACK_KEYS_FILE=keys.json", "PLAYBACK_KEYS_FILE: must be an absolute path"),  # of the control plane
        ("PORT=none", "PORT must be a whole number"),  # of `up` itself
        ("PLAYBACK_SIGNING_SECRET=short", "PLAYBACK_SIGNING_SECRET"),
        ("TRUSTED_PROXIES=everybody", "TRUSTED_PROXIES"),
    ][: short_or_long(3, None)],
)
def test_an_invalid_setting_is_reported_at_once_in_one_sentence(home: Path, setting: str, sentence: str) -> None:
    with (home / ".env").open("a") as file:
        file.write(f"{setting}\n")
    assert sentence in failure(home)


def say(home: Path, **settings: str) -> None:
    """Append settings to the home's file."""
    with (home / ".env").open("a") as file:
        file.writelines(f"{name}='{value}'\n" for name, value in settings.items())


def printed(home: Path) -> str:
    return (home / "up.log").read_text()


def says(home: Path, words: str, within: float) -> None:
    """Wait until `up` prints these words; fail with its actual output."""
    try:
        eventually(lambda: words in printed(home), within)
    except AssertionError:
        raise AssertionError(f"up does not say {words!r} within {within} s; it printed:\n{printed(home)}") from None


def page(home: Path) -> httpx2.Response:
    return httpx2.get(f"http://127.0.0.1:{public_port(read_environment(home))}/", timeout=30)


def readers(home: Path, origin: str) -> str | None:
    """Return the origin that nginx allows to read a refusal (CORS)."""
    url = f"http://127.0.0.1:{public_port(read_environment(home))}/streams/{'0' * 8}-0000-4000-8000-{'0' * 12}/a.ts"
    return httpx2.get(url, headers={"Origin": origin}, timeout=30).headers.get("access-control-allow-origin")


def test_sighup_applies_changed_settings_and_invalid_ones_change_nothing(home: Path, start: Start) -> None:
    running = start()
    eventually(lambda: is_up(home), within=60)
    before = pids(home)
    elsewhere = "https://tickets.example.org"

    say(home, APP_NAME="Changed Hall", CORS_ALLOWED_ORIGIN=elsewhere)
    running.send_signal(signal.SIGHUP)
    says(home, "SIGHUP: nginx reloaded, control started again.", within=60)
    eventually(lambda: readers(home, elsewhere) == elsewhere, within=20)
    assert "Changed Hall" in page(home).text
    after = pids(home)
    assert {name for name in before if before[name] != after[name]} == {"control"}

    say(home, CORS_ALLOWED_ORIGIN="*")
    running.send_signal(signal.SIGHUP)
    says(home, "everything goes on as before. CORS_ALLOWED_ORIGIN", within=20)
    say(home, CORS_ALLOWED_ORIGIN=elsewhere, APP_NAME="x" * 61)
    running.send_signal(signal.SIGHUP)
    says(home, "control does not start with the changed settings", within=60)
    eventually(lambda: printed(home).count("SIGHUP: nginx reloaded") == 2, within=60)
    assert "Changed Hall" in page(home).text
    assert readers(home, elsewhere) == elsewhere
    assert running.poll() is None


def test_under_nohup_sighup_does_nothing_and_a_full_access_log_is_rotated(home: Path, start: Start) -> None:
    say(home, ACCESS_LOG_MAX_SIZE_MB="4")
    log, old = home / "log" / "access.jsonl", home / "log" / "access.jsonl.1"
    log.parent.mkdir()
    log.write_text("{}\n" * 400_000)
    running = start(prefix=["nohup"])
    eventually(lambda: is_up(home), within=60)
    running.send_signal(signal.SIGHUP)
    eventually(old.exists, within=20)
    # nginx's workers write to the old file until they have reopened it.
    eventually(lambda: page(home) and log.exists() and '"path":"/"' in log.read_text(), every=0.5)
    assert old.stat().st_size >= 1_000_000
    assert running.poll() is None
    assert "SIGHUP" not in printed(home)


def test_up_works_from_the_environment_alone_with_its_access_log_on_standard_output(home: Path, start: Start) -> None:
    settings = {name: value for name, value in dotenv_values(home / ".env").items() if value is not None}
    (home / ".env").rename(home / "settings-elsewhere")
    start(**settings, ACCESS_LOG="stdout")
    eventually(lambda: is_up(home), within=60)
    assert httpx2.get(f"http://127.0.0.1:{settings['PORT']}/health", timeout=30).status_code == 200
    eventually(
        lambda: re.search(r'^nginx +\| {"time".*"path":"/health","status":200', printed(home), re.MULTILINE), within=20
    )
    assert not (home / "log" / "access.jsonl").exists()
    (home / "settings-elsewhere").rename(home / ".env")
