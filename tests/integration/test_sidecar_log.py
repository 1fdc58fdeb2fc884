"""A sidecar's output: one JSON object per line, also for messages of libraries."""

import json
import socket
from pathlib import Path

from tests.support.services.sidecar import ControlPlaneStub, SidecarUnderTest
from tests.support.waiting import eventually


def test_an_invalid_request_is_logged_as_json(tmp_path: Path) -> None:
    with ControlPlaneStub(tmp_path / "control.sock", lambda _cursor: None) as control_plane:
        with SidecarUnderTest(tmp_path, control_plane.socket) as sidecar:
            with socket.socket(socket.AF_UNIX) as asking:
                asking.connect(str(sidecar.socket))
                asking.sendall(b"GET /authorize HTTP/1.1\r\nAuthorization: Bearer K7F2X9M4B1C3\x01\r\n\r\n")
                assert asking.recv(1000).startswith(b"HTTP/1.1 400 ")
            eventually(lambda: "Invalid HTTP request" in sidecar.service.printed())
        told = [json.loads(line) for line in sidecar.service.printed().splitlines()]
    [complaint] = [line for line in told if line["event"] == "library_message"]
    assert (complaint["logger"], complaint["level"]) == ("uvicorn.error", "warning")
    assert "K7F2X9M4B1C3" not in sidecar.service.printed()
