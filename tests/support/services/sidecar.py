"""One real sidecar process, and a stub of the control plane on a unix socket."""

import json
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import ThreadingMixIn, UnixStreamServer
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

import httpx2

from control_plane.ops.processes import HttpProbe, ProcessSpec
from tests.support.data.forging import EVENT_ID, SECRET
from tests.support.leaks import remember
from tests.support.services.stack import Service

INTERNAL_KEY = "an internal key of tests, long enough"
PATH = f"/streams/{EVENT_ID}/stream.m3u8"


@dataclass
class ControlPlaneStub:
    """Answer feed requests with `answer(cursor)`; None waits for a moment and answers without changes."""

    socket: Path
    answer: Callable[[str], bytes | None]
    cursors: list[str] = field(default_factory=list)
    reports: list[dict[str, Any]] = field(default_factory=list)
    report_status: int = 204
    origins: dict[str, str] = field(default_factory=dict)

    def __enter__(self) -> Self:
        self.socket.unlink(missing_ok=True)
        self._server = _StubServer(str(self.socket), _handler(self))
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def feed(self, cursor: str) -> bytes:
        self.cursors.append(cursor)
        page = self.answer(cursor)
        if page is None:
            threading.Event().wait(0.2)
            page = json.dumps({"cursor": cursor, "snapshot": False, "more": False, "changes": []}).encode()
        return page

    def take_report(self, body: bytes) -> int:
        if self.report_status < 300:
            self.reports.append(json.loads(body))
        return self.report_status


class _StubServer(ThreadingMixIn, UnixStreamServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Ignore a sidecar that disconnects in the middle of a response."""


def _handler(stub: ControlPlaneStub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            if self.path == "/internal/origins":
                self._respond(200, json.dumps({"origins": stub.origins}).encode())
                return
            self._respond(200, stub.feed(parse_qs(urlsplit(self.path).query).get("cursor", [""])[0]))

        def do_POST(self) -> None:
            assert self.path == "/internal/activity"
            assert self.headers["X-Internal-Api-Key"] == INTERNAL_KEY
            self._respond(stub.take_report(self.rfile.read(int(self.headers["Content-Length"]))))

        def _respond(self, status: int, body: bytes = b"") -> None:
            self.send_response(status)
            if status != 204:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    return Handler


class SidecarUnderTest:
    """A sidecar that follows the control plane at `control_plane`, and nginx's requests to it."""

    def __init__(self, folder: Path, control_plane: Path, settings: Mapping[str, str] | None = None) -> None:
        self.socket, self.state_file = folder / "sidecar.sock", folder / "state.json"
        own = {
            "PLAYBACK_SIGNING_SECRET": SECRET,
            "INTERNAL_API_KEY": INTERNAL_KEY,
            "CONTROL_PLANE_URL": f"unix:{control_plane}",
            "SIDECAR_STATE_FILE": str(self.state_file),
        }
        argv = (sys.executable, "-m", "authz_sidecar", "--uds", str(self.socket))
        is_ready = HttpProbe("http://sidecar/live", self.socket)
        self.service = Service(
            ProcessSpec("sidecar", argv, own | dict(settings or {}), is_ready), folder / "sidecar.log"
        )
        self.http = httpx2.Client(
            transport=httpx2.HTTPTransport(uds=str(self.socket)), base_url="http://sidecar", timeout=60
        )

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()
        self.service.stop()

    def start(self) -> None:
        self.socket.unlink(missing_ok=True)
        self.service.start()
        self.service.wait_ready()

    def ask(self, token: str, **headers: str) -> tuple[int, str | None]:
        """Return the status and the reason."""
        remember(token)
        question = {"Authorization": f"Bearer {token}", "X-Gate-Path": PATH, "X-Gate-Method": "GET"} | headers
        response = self.http.get("/authorize", headers=question)
        return response.status_code, response.headers.get("X-Gate-Reason")

    def health(self) -> dict[str, Any]:
        body: dict[str, Any] = self.http.get("/health").json()
        return body

    def megabytes(self, line: str) -> float:
        """Return a line of /proc/<pid>/status in MiB: VmRSS is the current memory, VmHWM the peak."""
        status = Path(f"/proc/{self.service.pid}/status").read_text()
        return next(int(row.split()[1]) / 1024 for row in status.splitlines() if row.startswith(f"{line}:"))
