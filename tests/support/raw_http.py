"""HTTP as a hostile client writes it: the request line goes out byte for byte, nothing is normalised."""

import socket
from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True)
class RawAnswer:
    status: int
    headers: dict[str, str]
    body: bytes


def raw_request(
    url: str,
    target: str | bytes,
    method: str = "GET",
    headers: tuple[str, ...] = (),
    timeout: float = 10,
    body: bytes = b"",
) -> RawAnswer:
    """Send `target` as it is; header lines are given whole. A connection that is cut off has status 0."""
    parts = urlsplit(url)
    raw_target = target if isinstance(target, bytes) else target.encode("latin-1")
    lines = [b"%s %s HTTP/1.1" % (method.encode(), raw_target), b"Host: " + parts.netloc.encode()]
    lines += [line.encode("latin-1") for line in headers]
    with socket.create_connection((parts.hostname or "", parts.port or 80), timeout) as connection:
        connection.sendall(b"\r\n".join([*lines, b"Connection: close", b"", body]))
        received = b""
        while chunk := connection.recv(65536):
            received += chunk
    return _parse(received)


def _parse(received: bytes) -> RawAnswer:
    head, _, body = received.partition(b"\r\n\r\n")
    first, *rest = head.decode("latin-1").split("\r\n")
    pairs = (line.split(": ", 1) for line in rest)
    headers = {pair[0].lower(): pair[1] for pair in pairs if len(pair) == 2}
    return RawAnswer(int(first.split(" ")[1]) if first.startswith("HTTP/") else 0, headers, body)
