"""Check for untrusted proxies that forward requests; the running control plane has recorded them.

Behind a proxy that is not trusted all viewers count as one: they share one guess limit, and links lack https.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import httpx2

from control_plane.ops.doctor.finding import Finding, Installation, ok, warning
from control_plane.ops.processes import control_socket
from control_plane.unnamed_proxies import SETTING, line_to_add

_TIMEOUT_SECONDS: Final = 3.0


def examine(installation: Installation) -> list[Finding]:
    """Ask the control plane of this home. Return nothing if it is not running."""
    if not control_socket(installation.home).is_socket():
        return []
    trusted = installation.environment.get(SETTING, "")
    return [*_findings(_unnamed_proxies(control_socket(installation.home)), trusted)]


def _findings(addresses: list[str] | None, trusted: str) -> Iterator[Finding]:
    for address in addresses or []:
        what = f"{address} forwards requests but is not trusted: its viewers count as one, and links use http."
        fix = f"If it is your proxy, add {line_to_add(trusted, [address])} to .env and restart; otherwise ignore this."
        yield warning("proxy", what, fix)
    if addresses == [] and trusted:
        yield ok("proxy", "No untrusted proxy forwards requests.")


def _unnamed_proxies(socket: Path) -> list[str] | None:
    """Return the addresses, or None if the control plane does not answer."""
    transport = httpx2.HTTPTransport(uds=str(socket))
    try:
        with httpx2.Client(transport=transport, timeout=_TIMEOUT_SECONDS) as client:
            found = client.get("http://control-plane/internal/health").json().get("unnamedProxies", [])
    except (httpx2.HTTPError, ValueError):
        return None
    return [str(address) for address in found]
