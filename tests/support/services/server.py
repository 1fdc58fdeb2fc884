"""`python -m control_plane` as a separate process on a unix socket, for tests that need several or kill one."""

import os
import re
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Self

import httpx2

from control_plane.ops.processes import HttpProbe, ProcessSpec
from tests.support.clients.api import INTERNAL_KEY, PASSWORD_HASH, SECRETS_KEY
from tests.support.data.forging import SECRET
from tests.support.services.stack import Service

_PATIENCE_SECONDS = 60


class ControlPlaneProcess:
    def __init__(self, folder: Path, database_url: str, name: str = "control", **settings: str) -> None:
        self.socket = folder / f"{name}.sock"
        env = {
            "PATH": os.environ["PATH"],
            "PLAYBACK_SIGNING_SECRET": SECRET,
            "SECRETS_KEY": SECRETS_KEY,
            "INTERNAL_API_KEY": INTERNAL_KEY,
            "ADMIN_PASSWORD_HASH": PASSWORD_HASH,
            "DATABASE_URL": database_url,
            "PYTHONWARNINGS": "error",
            "PYTHONUNBUFFERED": "1",
        }
        argv = (sys.executable, "-m", "control_plane", "--uds", str(self.socket))
        is_ready = HttpProbe("http://control-plane/internal/health", self.socket)
        self.service = Service(ProcessSpec(name, argv, env | settings, is_ready), folder / f"{name}.log")

    def __enter__(self) -> Self:
        self.start()
        self.service.wait_ready()
        return self

    def __exit__(self, *_: object) -> None:
        self.service.stop()

    def start(self) -> None:
        self.socket.unlink(missing_ok=True)
        self.service.start()

    def browser(self, address: str = "192.0.2.10") -> httpx2.AsyncClient:
        """Return a browser with its own cookies, at an address that is passed on as nginx does."""
        return httpx2.AsyncClient(
            transport=httpx2.AsyncHTTPTransport(uds=str(self.socket), verify=False),
            base_url="http://tickets.example",
            headers={"X-Real-IP": address},
            timeout=_PATIENCE_SECONDS,
        )

    def complaints(self) -> list[str]:
        """Return the printed lines that should not occur."""
        return re.findall(r".*(?:locked|deadlock|Traceback|unhandled|not_).*", self.service.printed())


@contextmanager
def control_planes(folder: Path, database_url: str) -> Iterator[list[ControlPlaneProcess]]:
    """Run one on SQLite or two on PostgreSQL, started at the same moment."""
    names = ["control"] if database_url.startswith("sqlite") else ["control-1", "control-2"]
    processes = [ControlPlaneProcess(folder, database_url, name) for name in names]
    with ExitStack() as stack:
        for process in processes:
            stack.callback(process.service.stop)
            process.start()
        for process in processes:
            process.service.wait_ready()
        yield processes
