"""Ports for servers of tests."""

import os
import socket
from collections.abc import Iterator
from typing import Final

# Below those that the kernel lends to whoever connects somewhere (32768 and up), above those that browsers refuse.
_FIRST: Final = 12_000
_EACH: Final = 4_000
_WORKERS: Final = 5


def free_port() -> int:
    """Give a port that nobody listens on, and that no other test, in whichever worker of pytest, is given."""
    return next(port for port in _ports if _is_free(port))


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def _own_ports() -> Iterator[int]:
    """Walk this worker's range, round and round, from a place of its own: another suite may run on this machine."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % _WORKERS
    place = os.getpid() % _EACH
    while True:
        yield _FIRST + worker * _EACH + place
        place = (place + 1) % _EACH


_ports: Final = _own_ports()
