"""No secret reaches a log: with every carrier, missing files and dead processes, through `up` itself."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest

from tests.support import leaks
from tests.support.clients.people import Organiser, Viewer
from tests.support.clients.raw_http import raw_request
from tests.support.media.streams import make_folder
from tests.support.services.home import new_home
from tests.support.services.ports import free_port
from tests.support.services.stack import ADMIN_PASSWORD
from tests.support.waiting import PUSHED_WITHIN, eventually


@dataclass(frozen=True)
class Up:
    """A running `streamgate up` and everything that it and its children write."""

    home: Path
    url: str
    output: Path

    def pid(self, name: str) -> int:
        return int((self.home / "run" / f"{name}.pid").read_text())

    def audit_log(self) -> str:
        with closing(sqlite3.connect(self.home / "streamgate.db")) as database:
            return "\n".join(map(str, database.execute("SELECT * FROM audit_entry")))

    def not_ready(self) -> str:
        return f"up printed: {self.output.read_text(errors='replace')}\nIts being ready"

    def logs(self) -> str:
        files = [self.output, *(self.home / "log").iterdir()]
        return "\n".join(file.read_text(errors="replace") for file in files)


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Up]:
    home, port = tmp_path / "home", free_port()
    new_home(home, ADMIN_PASSWORD, port)
    running = Up(home, f"http://127.0.0.1:{port}", tmp_path / "output.log")
    command: list[str | Path] = [Path(sys.executable).with_name("streamgate"), "up", "--home", home]
    with running.output.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output)
    try:
        eventually(lambda: is_healthy(running.url), within=120, what=running.not_ready)
        yield running
    finally:
        process.terminate()
        assert process.wait(60) == 0
        leaks.check_home(home, running.output)


def use_the_control_plane(viewer: Viewer, code: str) -> None:
    """Make every request of a viewer, successful and refused, and sign in with a wrong password."""
    bearer = {"Authorization": f"Bearer {viewer.token}"}
    viewer.http.post("/api/playback/refresh", headers=bearer)
    viewer.http.post("/api/playback/refresh", headers={"Authorization": f"Bearer {viewer.token}x"})
    viewer.http.post("/api/playback/tv", headers=bearer)
    viewer.http.delete("/api/playback/tv", headers=bearer)
    viewer.http.post("/api/playback/heartbeat", headers=bearer)
    viewer.http.post("/api/playback/resume")
    viewer.http.post("/api/admin/login", json={"password": f"{ADMIN_PASSWORD}?", "username": code})
    viewer.http.get("/api/admin/audit", params={"subject": code})
    with httpx2.Client(base_url=viewer.http.base_url, timeout=10) as another:
        another.post("/api/tokens/validate", json={"code": code})
        another.post("/api/tokens/validate", json={"code": "Nobodys12345"})


def is_healthy(url: str) -> bool:
    try:
        return httpx2.get(f"{url}/health", timeout=30).status_code == 200
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
        for misplaced in (f"{token}/{name}", f"%65%79%4a{token[3:]}/{name}", f"{token}.ts"):
            plain.get(path.removesuffix(name) + misplaced)
            plain.get(f"/t/{token}{path.removesuffix(name)}{misplaced}")
        plain.get(f"/{token}")


def ask_with_the_code(viewer: Viewer, code: str) -> None:
    """Request like a browser that has a code in its address bar or in its Referer."""
    event = viewer.stream.split("/")[2]
    targets = (
        f"/{code}",
        f"/api/admin/tokens?search={code}",
        f"/api/admin/audit?subject={code}",
        f"/api/events/{event}/status?co%64e={code}",
        f"/{code}/?lang=de",
        f"/%{ord(code[0]):x}{code[1:]}",
        f"/?lang=de&nothing={code}#{code}",
    )
    came_from = f"Referer: {viewer.http.base_url}/admin/events/{event}?search={code}"
    for target in targets:
        raw_request(str(viewer.http.base_url), target, headers=(came_from,))
    raw_request(str(viewer.http.base_url), f"{viewer.stream}?x={code}", headers=(came_from, f"User-Agent: {code}"))
    raw_request(str(viewer.http.base_url), f"/x?{code}".encode() + b"\xff")


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
    use_the_control_plane(viewer, ticket.code)
    ask_with_the_code(viewer, ticket.code)
    secrets += [viewer.token, *(cookie.value or "" for cookie in viewer.http.cookies.jar)]
    os.kill(up.pid("sidecar-1"), signal.SIGSTOP)
    ask_every_way(viewer, "1.ts")
    for neighbour in ("sidecar-1", "control"):
        os.kill(up.pid(neighbour), signal.SIGKILL)
        ask_with_the_code(viewer, ticket.code)  # immediately, since `up` restarts it
        ask_every_way(viewer, "1.ts")
        viewer.http.get(f"/api/events/{event_id}/status", params={"code": ticket.code})
    lines = (
        'request: "GET /api/admin/tokens?[query] HTTP/1.1"',
        f'/admin/events/{event_id}?[query]"',
        'request: "GET /[code] HTTP/1.1"',
    )
    eventually(lambda: all(line in up.output.read_text() for line in lines), what="nginx tells of its errors")
    eventually(lambda: "missing.ts" in up.logs() and '"path":"/[code]"' in up.logs(), what="the logs are written")

    logs, audit_log = up.logs(), up.audit_log()
    assert [secret for secret in [*secrets, ticket.code[1:]] if secret in logs or secret in audit_log] == []
    printed = up.output.read_text()
    assert "[token]" in printed
    assert "token.refresh" in audit_log
    assert "Nobodys12345" not in logs + audit_log
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
    eventually(lambda: viewer.watch("1.ts").status_code == 403, within=PUSHED_WITHIN)
    lines = eventually(lambda: [line for line in up.logs().splitlines() if f"/streams/{event_id}/1.ts" in line])
    assert f'"path":"/streams/{event_id}/1.ts"' in lines[0]
    assert '"status":200' in lines[0]
    refused = eventually(lambda: [line for line in up.logs().splitlines() if '"reason":"revoked"' in line])
    assert '"status":403' in refused[0]
    assert '"ticket":"' in refused[0]
    organiser.close()
    viewer.close()


def test_a_crash_is_logged_once_with_the_access_logs_request_id_and_without_values(up: Up) -> None:
    organiser, viewer = Organiser(up.url), Viewer(up.url)
    [ticket] = organiser.tickets(organiser.create_event())
    with closing(sqlite3.connect(up.home / "streamgate.db")) as database:
        database.execute("ALTER TABLE audit_entry RENAME TO something_else")
    assert viewer.redeem(ticket.code).status_code == 500
    [crash] = eventually(lambda: [line for line in up.logs().splitlines() if "unhandled_error" in line])
    told = json.loads(crash.partition("| ")[2])
    assert (told["method"], told["route"], told["level"]) == ("POST", "/api/tokens/validate", "error")
    assert told["error"].startswith("OperationalError")
    assert any("api/playback.py" in place for place in told["traceback"])
    assert ticket.code not in up.logs()
    [line] = eventually(lambda: [line for line in up.logs().splitlines() if f'"request":"{told["request"]}"' in line])
    assert '"status":500' in line
    assert "Traceback" not in up.logs()
    organiser.close()
    viewer.close()
