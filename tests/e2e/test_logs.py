"""Nothing secret reaches a log: whatever the carrier, with missing files and dead neighbours, through `up` itself."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest

from control_plane.home import create_home
from tests.support.people import Organiser, Viewer
from tests.support.stack import ADMIN_PASSWORD, free_port
from tests.support.streams import make_folder
from tests.support.waiting import eventually


@dataclass(frozen=True)
class Up:
    """A running `streamgate up` and everything that it and its children write."""

    home: Path
    url: str
    output: Path

    def pid(self, name: str) -> int:
        return int((self.home / "run" / f"{name}.pid").read_text())

    def logs(self) -> str:
        files = [self.output, *(self.home / "log").iterdir()]
        return "\n".join(file.read_text(errors="replace") for file in files)


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Up]:
    home, port = tmp_path / "home", free_port()
    create_home(home, ADMIN_PASSWORD, port)
    running = Up(home, f"http://127.0.0.1:{port}", tmp_path / "output.log")
    command: list[str | Path] = [Path(sys.executable).with_name("streamgate"), "up", "--home", home]
    with running.output.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output)
    try:
        eventually(lambda: is_healthy(running.url), within=30, what="up is ready")
        yield running
    finally:
        process.terminate()
        assert process.wait(20) == 0


def is_healthy(url: str) -> bool:
    try:
        return httpx2.get(f"{url}/health").status_code == 200
    except httpx2.HTTPError:
        return False


def ask_every_way(viewer: Viewer, name: str) -> None:
    path, token = viewer.stream.removesuffix("stream.m3u8") + name, viewer.token
    with httpx2.Client(base_url=viewer.http.base_url, timeout=10) as plain:
        plain.get(path, headers={"Authorization": f"Bearer {token}"})
        plain.get(f"{path}?__token={token}")
        plain.get(path, headers={"Cookie": f"sg_playback={token}"})
        plain.get(f"/t/{token}{path}")
        plain.get(f"/t/{token}/nowhere/{token}")
        plain.get(f"/T/{token}{path}")
        plain.get(f"/{token}")


def test_no_token_code_or_cookie_reaches_any_log(up: Up) -> None:
    organiser, viewer = Organiser(up.url), Viewer(up.url)
    event_id = organiser.create_event()
    make_folder(up.home / "streams", event_id)
    [ticket] = organiser.tickets(event_id)
    assert viewer.redeem(ticket.code).status_code == 200
    secrets = [viewer.token, viewer.token.split(".")[2], ticket.code, ADMIN_PASSWORD]
    secrets += [cookie.value or "" for cookie in viewer.http.cookies.jar]

    for name in ("stream.m3u8", "1.ts", "missing.ts", "poster.png"):
        ask_every_way(viewer, name)
    viewer.http.get(f"/api/events/{event_id}/status", params={"code": ticket.code})
    viewer.redeem(ticket.code)
    os.kill(up.pid("sidecar-1"), signal.SIGSTOP)
    ask_every_way(viewer, "1.ts")
    for neighbour in ("sidecar-1", "control"):
        os.kill(up.pid(neighbour), signal.SIGKILL)
        ask_every_way(viewer, "1.ts")
        viewer.http.get(f"/api/events/{event_id}/status", params={"code": ticket.code})
    eventually(lambda: "missing.ts" in up.logs() and "upstream" in up.output.read_text(), what="the logs are written")

    logs = up.logs()
    assert [secret for secret in secrets if secret in logs] == []
    assert "[token]" in up.output.read_text()
    organiser.close()
    viewer.close()


def test_the_access_log_names_path_status_reason_and_the_tickets_fingerprint(up: Up) -> None:
    organiser, viewer = Organiser(up.url), Viewer(up.url)
    event_id = organiser.create_event()
    make_folder(up.home / "streams", event_id)
    [ticket] = organiser.tickets(event_id)
    viewer.redeem(ticket.code).raise_for_status()
    viewer.http.get(f"/t/{viewer.token}/streams/{event_id}/1.ts?x=1")
    organiser.revoke(ticket)
    eventually(lambda: viewer.watch("1.ts").status_code == 403, within=1)
    lines = eventually(lambda: [line for line in up.logs().splitlines() if f"/streams/{event_id}/1.ts" in line])
    assert f'"path":"/streams/{event_id}/1.ts"' in lines[0]
    assert '"status":200' in lines[0]
    refused = eventually(lambda: [line for line in up.logs().splitlines() if '"reason":"revoked"' in line])
    assert '"status":403' in refused[0]
    assert '"ticket":"' in refused[0]
    organiser.close()
    viewer.close()
