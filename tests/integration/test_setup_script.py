"""`deploy/setup.sh` beside another package manager, with Debian's real apt-get; nothing is installed."""

import fcntl
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.waiting import eventually

SCRIPT = Path(__file__).parents[2] / "deploy/setup.sh"
INSTALLING = Path("/var/lib/dpkg/lock-frontend")
LISTS = Path("/var/lib/apt/lists/lock")
pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or not shutil.which("apt-get"), reason="only root installs packages, with apt-get"
)


@contextmanager
def held(lock: Path) -> Iterator[Callable[[], None]]:
    """Hold a lock as another apt-get does; return a handle to release it."""
    with lock.open("w") as file:
        fcntl.lockf(file, fcntl.LOCK_EX)
        yield file.close


def setup(log: Path, *packages: str) -> subprocess.Popen[bytes]:
    with log.open("wb") as output:
        environment = {**os.environ, "APT_LOCK_SECONDS": "120"}
        return subprocess.Popen([SCRIPT, "packages", *packages], env=environment, stdout=output, stderr=output)


# debconf provides debconf-2.0, so there is nothing to install; for an unknown name the lists are updated.
@pytest.mark.parametrize(("lock", "package"), [(INSTALLING, "debconf-2.0"), (LISTS, "no-package-of-debian")])
def test_it_waits_for_another_package_manager_and_reports_missing_packages(
    tmp_path: Path, lock: Path, package: str
) -> None:
    log = tmp_path / "log"
    with held(lock) as let_go, setup(log, package) as running:
        eventually(lambda: "Waiting for another package manager" in log.read_text(), within=120)
        let_go()
        assert running.wait(180) == 1
    assert f"Could not install: {package}" in log.read_text()
    assert "lock" not in log.read_text()


def test_nothing_is_done_for_installed_packages(tmp_path: Path) -> None:
    with held(INSTALLING), setup(tmp_path / "log", "nginx", "dpkg") as running:
        assert running.wait(60) == 0
