"""Free ports for test servers."""

import os
import socket
from collections.abc import Iterator
from typing import Final

# Below the kernel's ephemeral ports (32768 and up), above the ports that browsers refuse.
_FIRST: Final = 12_000
_EACH: Final = 4_000
_WORKERS: Final = 5


def free_port() -> int:
    """Return a port that is not in use and that no other test gets, in any of pytest's workers."""
    return next(port for port in _ports if _is_free(port))


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def _own_ports() -> Iterator[int]:
    """Cycle through this worker's range from a random start: another suite may run on this machine."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % _WORKERS
    place = os.getpid() % _EACH
    while True:
        yield _FIRST + worker * _EACH + place
        place = (place + 1) % _EACH


_ports: Final = _own_ports()
