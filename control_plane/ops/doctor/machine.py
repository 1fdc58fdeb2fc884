"""Check the machine: a synchronised clock, free disk space, and the public port in use by the service or free."""

import ctypes
import errno
import os
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import httpx2

from control_plane.errors import OperatorError
from control_plane.ops.doctor.finding import Finding, Installation, error, ok, warning
from control_plane.ops.home import public_port, segment_cache, stream_root

_UNSYNCHRONISED: Final = 5  # TIME_ERROR of adjtimex(2)
_SIZE_OF_TIMEX: Final = 512  # larger than on any architecture; all zeros: read only
_TIMEOUT_SECONDS: Final = 3.0
_GIGABYTE: Final = 1024**3
_LOW_SPACE: Final = 2 * _GIGABYTE
_NO_SPACE: Final = _GIGABYTE // 10


def examine(installation: Installation) -> list[Finding]:
    return [*_clock(), *_disks(installation), *_port(installation)]


def _clock() -> Iterator[Finding]:
    """Ask the kernel, which also knows about a time service that runs outside this container."""
    try:
        state = ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(_SIZE_OF_TIMEX))
    except (OSError, AttributeError):
        state = -1
    if state == _UNSYNCHRONISED:
        fix = "Turn on NTP: `timedatectl set-ntp true`, or install chrony."
        yield warning("clock", "This machine's clock is not synchronised.", fix)
    elif state >= 0:
        yield ok("clock", "It is synchronised.")


def _disks(installation: Installation) -> Iterator[Finding]:
    seen: set[int] = set()
    for folder in _folders(installation):
        if not folder.is_dir() or (device := folder.stat().st_dev) in seen:
            continue
        seen.add(device)
        free = shutil.disk_usage(folder).free
        what = f"{free / _GIGABYTE:.1f} GB are free."
        if free < _NO_SPACE:
            yield error(str(folder), what, "Free some space: the database cannot be written on a full disk.")
        elif free < _LOW_SPACE:
            yield warning(str(folder), what, "Free some space before an event.")
        else:
            yield ok(str(folder), what)


def _folders(installation: Installation) -> Iterator[Path]:
    yield installation.home
    if installation.database_file:
        yield installation.database_file.parent
    if root := stream_root(installation.home, installation.environment):
        yield root
    yield segment_cache(installation.home, installation.environment)


def _port(installation: Installation) -> Iterator[Finding]:
    try:
        port = public_port(installation.environment)
    except OperatorError:
        return  # reported with the configuration
    answer = health(installation)
    if answer and "revocationCacheSize" in answer:
        yield from _service(answer)
    elif answer is not None:
        yield error(f"port {port}", "Another program answers there.", "Stop it, or set PORT to another port.")
    else:
        yield from _free_port(port)


def health(installation: Installation) -> dict[str, object] | None:
    """Return the service's health from the public port: {} if another program answers, None if nothing does."""
    try:
        port = public_port(installation.environment)
        answer = httpx2.get(f"http://127.0.0.1:{port}/health", timeout=_TIMEOUT_SECONDS)
        body = answer.json()
    except (httpx2.ConnectError, OperatorError):
        return None
    except (httpx2.HTTPError, ValueError):
        return {}
    return body if isinstance(body, dict) else {}


def _service(answer: dict[str, object]) -> Iterator[Finding]:
    if answer.get("controlPlane") != "ok":
        fix = "Check the control plane's log: viewers keep watching, but no revocation arrives."
        yield error("feed", "This edge does not reach the control plane.", fix)
    elif answer.get("status") != "ok":
        yield error(
            "feed",
            f"This edge is degraded; it last synced {answer.get('lastSyncAgo')} ago.",
            "Look at the sidecar's log.",
        )
    else:
        yield ok("feed", f"The service is up; this edge last synced with the feed {answer.get('lastSyncAgo')} ago.")


def _free_port(port: int) -> Iterator[Finding]:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as problem:
            if problem.errno == errno.EACCES:
                fix = "Use port 1024 or higher, or grant CAP_NET_BIND_SERVICE."
                yield error(f"port {port}", "This user is not allowed to open it.", fix)
            else:
                what = f"It cannot be opened: {os.strerror(problem.errno or 0).lower()}."
                yield error(f"port {port}", what, "Stop the program that uses it, or set PORT to another port.")
        else:
            yield ok(f"port {port}", "Free; the service is not running.")
