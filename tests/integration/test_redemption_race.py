"""A hundred devices redeem one code at the same moment, on a real server: exactly one gets in, every time."""

import os
import re
import signal
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import anyio
import httpx2
import pytest

from tests.support.api import INTERNAL_KEY, PASSWORD, PASSWORD_HASH, Admin, Viewer, new_database
from tests.support.forging import SECRET
from tests.support.waiting import eventually

pytestmark = pytest.mark.anyio
DEVICES, RUNS = 100, 20


@dataclass(frozen=True)
class Server:
    path: Path
    log: Path

    def device(self, number: int = 0) -> httpx2.AsyncClient:
        return httpx2.AsyncClient(
            transport=httpx2.AsyncHTTPTransport(uds=str(self.path)),
            base_url="http://tickets.example",
            headers={"X-Real-IP": f"192.0.2.{number}"},
            timeout=60,
        )

    def is_healthy(self) -> bool:
        with socket.socket(socket.AF_UNIX) as probe:
            if probe.connect_ex(str(self.path)):
                return False
        with httpx2.Client(transport=httpx2.HTTPTransport(uds=str(self.path)), base_url="http://x") as client:
            return client.get("/internal/health").status_code == 200


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """Run `python -m control_plane` on a unix socket and end it by its process id."""
    running = Server(tmp_path / "control.sock", tmp_path / "log")
    environment = {
        "PATH": os.environ["PATH"],
        "PLAYBACK_SIGNING_SECRET": SECRET,
        "INTERNAL_API_KEY": INTERNAL_KEY,
        "ADMIN_PASSWORD_HASH": PASSWORD_HASH,
        "DATABASE_URL": new_database(tmp_path),
    }
    with running.log.open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "control_plane", "--uds", str(running.path)],
            env=environment, stdout=log, stderr=log, cwd=Path(__file__).parents[2],
        )  # fmt: skip
    try:
        eventually(lambda: process.poll() is not None or running.is_healthy(), within=30)
        assert process.poll() is None, running.log.read_text()
        yield running
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=10)


async def test_of_a_hundred_simultaneous_redemptions_exactly_one_wins_in_each_of_twenty_runs(server: Server) -> None:
    async with server.device() as http:
        admin = Admin(http)
        assert (await admin.sign_in(PASSWORD)).status_code == 200
        tickets = await admin.codes(await admin.create_event(), RUNS)
    devices = [server.device(number) for number in range(DEVICES)]
    try:
        for ticket in tickets:
            assert await redeem_at_once(devices, ticket["code"]) == {200: 1, 409: DEVICES - 1}
    finally:
        for device in devices:
            await device.aclose()
    printed = server.log.read_text()
    assert not re.search(r"locked|Traceback|unhandled", printed), printed


async def redeem_at_once(devices: list[httpx2.AsyncClient], code: str) -> Counter[int]:
    """Let all devices send the code; those of earlier runs forget the sessions that they had."""
    answered: Counter[int] = Counter()

    async def redeem(device: httpx2.AsyncClient) -> None:
        device.cookies.clear()
        answered[(await Viewer(device).validate(code)).status_code] += 1

    with anyio.fail_after(60):
        async with anyio.create_task_group() as tasks:
            for device in devices:
                tasks.start_soon(redeem, device)
    return answered
