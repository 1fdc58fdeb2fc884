"""Tells whether somebody forwards viewers without being trusted: the control plane that runs has noticed it.

With a proxy that nobody named, a whole audience is one viewer: one guess limit for all, and links without https.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import httpx2

from control_plane.ops.doctor.finding import Finding, Installation, ok, warning
from control_plane.ops.processes import control_socket
from control_plane.unnamed_proxies import SETTING, line_to_add

_PATIENCE_SECONDS: Final = 3.0


def examine(installation: Installation) -> list[Finding]:
    """Ask the control plane of this home; where none is up there is nothing to say."""
    if installation.home is None or not control_socket(installation.home).is_socket():
        return []
    trusted = installation.environment.get(SETTING, "")
    return [*_findings(_noticed(control_socket(installation.home)), trusted)]


def _findings(noticed: list[str] | None, trusted: str) -> Iterator[Finding]:
    for address in noticed or []:
        what = f"{address} forwards viewers and is not trusted: they all count as one, and links lack https."
        fix = (
            f"If it is your proxy, put {line_to_add(trusted, [address])} into .env and restart; otherwise ignore this."
        )
        yield warning("proxy", what, fix)
    if noticed == [] and trusted:
        yield ok("proxy", "No untrusted proxy forwards viewers.")


def _noticed(socket: Path) -> list[str] | None:
    """Return the addresses, None where nobody answers."""
    transport = httpx2.HTTPTransport(uds=str(socket))
    try:
        with httpx2.Client(transport=transport, timeout=_PATIENCE_SECONDS) as client:
            told = client.get("http://control-plane/internal/health").json().get("unnamedProxies", [])
    except (httpx2.HTTPError, ValueError):
        return None
    return [str(address) for address in told]
