"""An origin of streams that records all requests and can fail in every way."""

import re
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self
from uuid import uuid4

from tests.support.media.streams import PLAYLIST
from tests.support.services.ports import free_port


@dataclass(frozen=True)
class Asked:
    """One request as received."""

    method: str
    target: str
    headers: dict[str, str]
    raw: str
    body: bytes = b""
    at: float = field(default_factory=time.monotonic)


@dataclass(frozen=True)
class Reply:
    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    delay: float = 0


Answerer = Callable[[Asked], Reply]


@dataclass
class Origin:
    """`replies` by path below /hls, without query; a function there is called for each request."""

    port: int = field(default_factory=free_port)
    replies: dict[str, Reply | Answerer] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)
    ranges: bool = True
    certificate: Path | None = None  # with its key in the same file
    _server: ThreadingHTTPServer | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def url(self) -> str:
        return f"https://localhost:{self.port}/hls" if self.certificate else f"http://127.0.0.1:{self.port}/hls"

    def add_event(self) -> str:
        """Add a small stream and return its event id."""
        event_id = str(uuid4())
        mark = f"mark-of-{event_id}"
        for name in ("1.ts", "2.ts", "low/1.ts", "init.mp4", "enc.key", "en.vtt"):
            self.put(f"/{event_id}/{name}", mark * 50)
        self.put(f"/{event_id}/stream.m3u8", f"{PLAYLIST}# {mark}\n" + "# padding\n" * 100)
        return event_id

    def put(self, path: str, text: str | bytes, **headers: str) -> None:
        body = text.encode() if isinstance(text, str) else text
        self.replies[f"/hls{path}"] = Reply(200, body, {"ETag": f'"{hash(body)}"', **headers})

    def answer(self, path: str, reply: Reply | Answerer) -> None:
        self.replies[f"/hls{path}"] = reply

    def questions(self, path: str) -> list[Asked]:
        return [asked for asked in list(self.asked) if asked.target.split("?")[0] == f"/hls{path}"]

    def start(self) -> None:
        """Start the server unless it is running."""
        if self._server:
            return
        self._server = _OriginServer(("127.0.0.1", self.port), _handler(self))
        if self.certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(self.certificate)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def stop(self) -> None:
        """Close the port; connections are refused from now on."""
        if self._server:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def reply_to(self, asked: Asked) -> Reply:
        self.asked.append(asked)
        found = self.replies.get(asked.target.split("?")[0], Reply(404, b"the origin's own words"))
        reply = found(asked) if callable(found) else found
        return self._conditional(asked, reply)

    def _conditional(self, asked: Asked, reply: Reply) -> Reply:
        if reply.status != 200:
            return reply
        if "ETag" in reply.headers and asked.headers.get("if-none-match") == reply.headers["ETag"]:
            return Reply(304, b"", reply.headers)
        wanted = re.fullmatch(r"bytes=(\d+)-(\d+)", asked.headers.get("range", ""))
        if not (self.ranges and wanted):
            return reply
        return _part(reply, int(wanted[1]), int(wanted[2]))


def _part(reply: Reply, first: int, last: int) -> Reply:
    body = reply.body[first : last + 1]
    if not body:
        return Reply(416, b"", {"Content-Range": f"bytes */{len(reply.body)}"})
    where = {"Content-Range": f"bytes {first}-{first + len(body) - 1}/{len(reply.body)}", "Accept-Ranges": "bytes"}
    return Reply(206, body, reply.headers | where, reply.delay)


class _OriginServer(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 512
    block_on_close = False


def _handler(origin: Origin) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = 60

        def handle_one_request(self) -> None:
            super().handle_one_request()
            if origin._server is None:
                self.close_connection = True

        def do_GET(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            body = self.rfile.read(int(headers.get("content-length", "0")))
            reply = origin.reply_to(
                Asked(self.command, self.path, headers, f"{self.requestline}\n{self.headers}", body)
            )
            threading.Event().wait(reply.delay)
            self.send_response(reply.status)
            for name, value in {"Content-Length": str(len(reply.body)), **reply.headers}.items():
                if not (name == "Content-Length" and reply.status == 304):
                    self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(reply.body)

        do_HEAD = do_POST = do_OPTIONS = do_GET  # noqa: N815

        def log_message(self, *_: Any) -> None:
            """Log nothing."""

    return Handler


def growing_playlist() -> Answerer:
    """Answer like a very fast live encoder: a new playlist every millisecond, with the time as its sequence number."""

    def reply(_asked: Asked) -> Reply:
        return Reply(200, f"#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:{time.time_ns() // 1_000_000}\n".encode())

    return reply
