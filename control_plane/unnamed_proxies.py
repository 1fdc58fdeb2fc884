"""Proxies that forward viewers but are not named in TRUSTED_PROXIES: everybody behind one looks like one viewer.

nginx tells whose forwarded headers it passed over. A stranger may send such headers, too, so what is said here is
advice: bounded, once for each address, and it changes nothing by itself.
"""

import ipaddress
from typing import Final

import structlog

SETTING: Final = "TRUSTED_PROXIES"
_MOST_KNOWN: Final = 20
_MOST_COUNTED: Final = 1000
_ENOUGH_FROM_ABROAD: Final = 100  # requests; a viewer's own proxy forwards a few
log = structlog.get_logger()


class UnnamedProxies:
    """Remembers who forwards; an address of our own networks at once, one of the internet once it does so a lot."""

    def __init__(self, trusted: str) -> None:
        self._trusted = trusted
        self._counts: dict[str, int] = {}
        self.known: list[str] = []

    def note(self, address: str) -> None:
        """Count a request that came through this address; what is no address is passed over."""
        if address in self.known or len(self.known) >= _MOST_KNOWN or not self._is_plausible(address):
            return
        self.known.append(address)
        log.warning("proxy_not_trusted", proxy=address, fix=line_to_add(self._trusted, [address]))

    def _is_plausible(self, address: str) -> bool:
        try:
            is_foreign = ipaddress.ip_address(address).is_global
        except ValueError:
            return False
        if not is_foreign:
            return True
        if address not in self._counts and len(self._counts) >= _MOST_COUNTED:
            return False
        self._counts[address] = self._counts.get(address, 0) + 1
        return self._counts[address] >= _ENOUGH_FROM_ABROAD


def line_to_add(trusted: str, addresses: list[str]) -> str:
    """Write the setting with these addresses in it."""
    named = [part.strip() for part in trusted.split(",") if part.strip()]
    return f"{SETTING}={','.join([*named, *addresses])}"
