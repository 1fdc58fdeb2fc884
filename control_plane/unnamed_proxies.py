"""Proxies that forward requests but are not listed in TRUSTED_PROXIES: all viewers behind one look like one viewer.

nginx reports whose forwarded headers it ignored. Anybody can send such headers, so the result is only advice: it is
bounded, logged once per address, and changes nothing.
"""

import ipaddress
from typing import Final

import structlog

SETTING: Final = "TRUSTED_PROXIES"
_MOST_KNOWN: Final = 20
_MOST_COUNTED: Final = 1000
_PUBLIC_THRESHOLD: Final = 100  # requests; a viewer's own proxy forwards only a few
log = structlog.get_logger()


class UnnamedProxies:
    """Records the addresses of proxies: one in a private network at once, a public one after many requests."""

    def __init__(self, trusted: str) -> None:
        self._trusted = trusted
        self._counts: dict[str, int] = {}
        self.known: list[str] = []

    def note(self, address: str) -> None:
        """Count a request that came through this address. Ignore text that is not an address."""
        if address in self.known or len(self.known) >= _MOST_KNOWN or not self._is_plausible(address):
            return
        self.known.append(address)
        log.warning("proxy_not_trusted", proxy=address, fix=line_to_add(self._trusted, [address]))

    def _is_plausible(self, address: str) -> bool:
        try:
            is_public = ipaddress.ip_address(address).is_global
        except ValueError:
            return False
        if not is_public:
            return True
        if address not in self._counts and len(self._counts) >= _MOST_COUNTED:
            return False
        self._counts[address] = self._counts.get(address, 0) + 1
        return self._counts[address] >= _PUBLIC_THRESHOLD


def line_to_add(trusted: str, addresses: list[str]) -> str:
    """Return the line of the setting with these addresses added."""
    named = [part.strip() for part in trusted.split(",") if part.strip()]
    return f"{SETTING}={','.join([*named, *addresses])}"
