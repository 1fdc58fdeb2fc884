"""HTTP as a hostile client sends it: the request line is sent byte for byte, without normalization."""

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
    *,
    host: str | None = "",
    source: str = "",
) -> RawAnswer:
    """Send `target` unchanged; `headers` are complete header lines. The status is 0 if the connection is cut off.

    `host` replaces the URL's host; None means HTTP/1.0, which needs none. `source` is the source address.
    """
    parts = urlsplit(url)
    raw_target = target if isinstance(target, bytes) else target.encode("latin-1")
    lines = [b"%s %s HTTP/1.%d" % (method.encode(), raw_target, host is not None)]
    lines += [] if host is None else [b"Host: " + (host or parts.netloc).encode("latin-1")]
    lines += [line.encode("latin-1") for line in headers]
    where = (parts.hostname or "", parts.port or 80)
    with socket.create_connection(where, timeout, (source, 0) if source else None) as connection:
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
