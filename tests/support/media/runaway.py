"""A misbehaving origin on raw sockets: endless bodies, trickled bytes, endless headers."""

import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Self

Send = Callable[[bytes], None]
Behaviour = Callable[[Send], None]

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n"


@dataclass
class RunawayOrigin:
    """`behaviours` by the last part of the path. A trickle ends when the origin is stopped."""

    behaviours: dict[str, Behaviour] = field(default_factory=dict)
    stopped: threading.Event = field(default_factory=threading.Event)
    asked: list[str] = field(default_factory=list)
    sent: int = 0
    given_up: threading.Event = field(default_factory=threading.Event)  # a client has closed the connection midway

    def __enter__(self) -> Self:
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=128)
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopped.set()
        self._socket.close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._socket.getsockname()[1]}/hls"

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._socket.accept()
                threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            target = connection.makefile("rb").readline().decode().split()[1]
            self.asked.append(target)
            behaviour = self.behaviours.get(target.partition("?")[0].rpartition("/")[2], not_there)
            try:
                behaviour(lambda data: self._send(connection, data))
            except OSError:
                self.given_up.set()

    def _send(self, connection: socket.socket, data: bytes) -> None:
        connection.sendall(data)
        self.sent += len(data)

    def endless(self, head: bytes = HEAD, part: bytes = b"#EXTINF:2,\nx.ts\n" * 4096) -> Behaviour:
        """Send the head and then parts forever, as fast as they are read."""

        def behaviour(send: Send) -> None:
            send(head + b"Connection: close\r\n\r\n")
            while not self.stopped.is_set():
                send(part)

        return behaviour

    def trickle(self, head: bytes, seconds: float = 0.5) -> Behaviour:
        """Send the head and then one byte at a time, forever."""

        def behaviour(send: Send) -> None:
            send(head)
            while not self.stopped.wait(seconds):
                send(b"x")

        return behaviour


def not_there(send: Send) -> None:
    send(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")


def says(answer: bytes) -> Behaviour:
    """Send exactly these bytes and close."""
    return lambda send: send(answer)
