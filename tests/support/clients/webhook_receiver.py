"""A webhook receiver: it records messages and verifies their signatures as Standard Webhooks specifies.

Verification is implemented independently here, so that it detects mistakes in our own signing.
"""

import base64
import hashlib
import hmac
import json
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.support.services.ports import free_port


@dataclass(frozen=True)
class Heard:
    """One message as received."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def said(self) -> dict[str, Any]:
        message: dict[str, Any] = json.loads(self.body)
        return message

    @property
    def topic(self) -> str:
        return str(self.said["type"])

    def is_signed_with(self, secret: str) -> bool:
        key = base64.b64decode(secret.split("_", 1)[1])
        signed = b".".join([self.id.encode(), self.headers["webhook-timestamp"].encode(), self.body])
        expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
        return f"v1,{expected}" in self.headers["webhook-signature"].split(" ")


@dataclass(frozen=True)
class ReceiverAnswer:
    status: int = 204
    headers: dict[str, str] = field(default_factory=dict)
    delay: float = 0  # seconds, or less when the receiver stops
    body: bytes = b""


@dataclass
class Receiver:
    """A server that answers each message as `answer` decides; by default it accepts everything."""

    port: int = field(default_factory=free_port)
    heard: list[Heard] = field(default_factory=list)
    answer: Callable[[Heard], ReceiverAnswer] = lambda _heard: ReceiverAnswer()
    certificate: Path | None = None  # with its key in the same file
    _server: ThreadingHTTPServer | None = None
    _stopped: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        return f"https://localhost:{self.port}/hook" if self.certificate else f"http://127.0.0.1:{self.port}/hook"

    @property
    def topics(self) -> list[str]:
        return [heard.topic for heard in list(self.heard)]

    def answers(self, *statuses: int) -> None:
        """ReceiverAnswer with these statuses in turn, then accept everything."""
        left = list(statuses)
        self.answer = lambda _heard: ReceiverAnswer(left.pop(0) if left else 204)

    def start(self) -> None:
        self._stopped.clear()
        self._server = _ReceiverServer(("127.0.0.1", self.port), _handler(self))
        if self.certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(self.certificate)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def stop(self) -> None:
        """Close the port; connections are refused from now on."""
        self._stopped.set()
        if self._server:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def wait(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        self._stopped.wait(max(0.0, deadline - time.monotonic()))


class _ReceiverServer(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    block_on_close = False

    def handle_error(self, _request: Any, _client_address: Any) -> None:
        """Ignore disconnected clients: the tests cause them on purpose."""


def _handler(receiver: Receiver) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            heard = Heard(self.path, {name.lower(): value for name, value in self.headers.items()}, body)
            receiver.heard.append(heard)
            answer = receiver.answer(heard)
            if answer.delay:
                receiver.wait(answer.delay)
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)

        def log_message(self, *_arguments: object) -> None:
            """Log nothing."""

    return Handler
