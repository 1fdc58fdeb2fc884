"""The wheel as users install it: it contains everything that runs, and it runs without a checkout."""

import os
import re
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Iterator
from pathlib import Path
from zipfile import ZipFile

import httpx2
import pytest

from tests.support import leaks
from tests.support.services.checkout import VERSION
from tests.support.services.ports import free_port
from tests.support.waiting import eventually

ROOT = Path(__file__).parents[2]
# Where each folder of the checkout is in the wheel, without compiled files and the build of web/static/vendor.
SHIPPED = {"authz_sidecar": "authz_sidecar", "control_plane": "control_plane", "nginx": "control_plane/nginx"}
LEFT_OUT = {"__pycache__", "vendoring"}
WITHIN = 120.0  # seconds, on a busy machine


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    pip("wheel", "--no-build-isolation", "--wheel-dir", folder, ROOT)
    [built] = folder.iterdir()
    return built


@pytest.fixture(scope="module")
def streamgate(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install only the wheel into a new environment that uses this one's dependencies; return its command."""
    folder = tmp_path_factory.mktemp("installed")
    venv.create(folder, symlinks=True)
    pip("--python", folder / "bin" / "python", "install", wheel)
    [packages] = folder.glob("lib/python*/site-packages")
    (packages / "borrowed.pth").write_text(sysconfig.get_path("purelib"), encoding="utf-8")
    return folder / "bin" / "streamgate"


@pytest.fixture(scope="module")
def home(streamgate: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("of-an-operator") / "home"
    told = run(streamgate, "init", "--home", folder, "--port", free_port())
    leaks.remember(told.split()[-1])
    return folder


@pytest.fixture
def url(streamgate: Path, home: Path) -> Iterator[str]:
    """Run `up` until the test is over."""
    log = home / "up.log"
    [port] = re.findall(r"^PORT='(\d+)'$", (home / ".env").read_text(encoding="utf-8"), re.MULTILINE)
    with log.open("wb") as output:
        command: list[str | Path] = [streamgate, "up", "--home", home]
        running = subprocess.Popen(command, env=environment(), cwd=home.parent, stdout=output, stderr=output)
    try:
        eventually(lambda: is_up(running, log), within=WITHIN, what=log.read_text)
        yield f"http://127.0.0.1:{port}"
        running.terminate()
        assert running.wait(timeout=30) == 0
    finally:
        running.kill()
        running.wait()
    leaks.check_home(home, log)


def pip(*arguments: str | Path) -> None:
    """Run pip without any network access."""
    alone = {"PIP_NO_INDEX": "1", "PIP_NO_DEPS": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    command = [sys.executable, "-m", "pip", "--quiet", *arguments]
    done = subprocess.run(command, env=os.environ | alone, capture_output=True, text=True, check=False, timeout=WITHIN)
    assert done.returncode == 0, done.stdout + done.stderr


def environment() -> dict[str, str]:
    """Return the environment of an operator's shell, without references to the checkout."""
    return {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}


def run(program: Path, *arguments: str | int | Path) -> str:
    """Run a program of the new environment outside of the checkout; fail if it fails, and return its output."""
    command = [str(program), *map(str, arguments)]
    done = subprocess.run(
        command, env=environment(), cwd=program.parent, capture_output=True, text=True, check=False, timeout=WITHIN
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def is_up(running: subprocess.Popen[bytes], log: Path) -> bool:
    assert running.poll() is None, log.read_text()
    return "StreamGate is up at" in log.read_text()


def test_the_wheel_contains_exactly_the_shipped_files(wheel: Path) -> None:
    wanted = {
        f"{there}/{file.relative_to(ROOT / here).as_posix()}"
        for here, there in SHIPPED.items()
        for file in (ROOT / here).rglob("*")
        if file.is_file() and not LEFT_OUT & {*file.relative_to(ROOT).parts}
    }
    about = f"streamgate-{VERSION}.dist-info/"
    found = {name for name in ZipFile(wheel).namelist() if not name.startswith(about)}
    assert sorted(wanted - found) == []
    assert sorted(found - wanted) == []
    assert f"{about}licenses/LICENSE" in ZipFile(wheel).namelist()


def test_the_newest_version_in_the_changelog_is_the_projects() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.findall(r"^## (\d\S*)", changelog, re.MULTILINE)[:1] in ([], [VERSION])


def test_the_installed_packages_are_imported(streamgate: Path) -> None:
    script = "import authz_sidecar, control_plane; print(authz_sidecar.__file__, control_plane.__file__)"
    files = run(streamgate.with_name("python"), "-c", script).split()
    assert [Path(file).is_relative_to(streamgate.parents[1]) for file in files] == [True, True]


def test_the_help_lists_the_commands(streamgate: Path) -> None:
    told = run(streamgate, "--help")
    assert {"init", "up", "demo", "doctor", "backup", "restore"} <= {*told.split()}


def test_doctor_finds_no_error_in_a_new_home(streamgate: Path, home: Path) -> None:
    run(streamgate, "doctor", "--home", home)


def test_everything_starts_and_every_asset_of_a_page_exists(url: str) -> None:
    with httpx2.Client(base_url=url, timeout=30) as client:
        assert client.get("/health").status_code == 200
        assert client.get("/api/openapi.json").status_code == 200
        for page in ("/", "/tv", "/admin/login", "/api/docs"):
            answer = client.get(page)
            assert answer.status_code == 200, page
            named = set(re.findall(r'(?:href|src)="(/[^"#]+\.[^"#]+)"', answer.text))
            assert named, page
            assert [asset for asset in named if client.get(asset).status_code != 200] == []
