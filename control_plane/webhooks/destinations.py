"""Where a webhook may go: to public addresses over https, and to private ones if the operator allows them.

A name is resolved, all of its addresses are checked, and the connection is made to one of these and to no other: a
name that was harmless when it was entered may resolve to anything when it is used (DNS rebinding).
"""

import re
import socket
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final
from urllib.parse import urlsplit

import anyio

from control_plane.errors import FieldRefused

_FIELD: Final = "url"
_HOST: Final = re.compile(r"[0-9a-z](?:[0-9a-z.-]{0,252}[0-9a-z])?|\[[0-9a-f:.]+\]")
_REST: Final = re.compile(r"[!-~]*")
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_NAT64: Final = IPv6Network("64:ff9b::/96")
# All public addresses of IPv6: not the old site-local ones (fec0::/10) or blocks that are not assigned yet.
_GLOBAL_UNICAST: Final = IPv6Network("2000::/3")
# Networks that the tables of an older Python may list as global: protocol assignments, documentation, relays.
_EXCLUDED: Final = tuple(
    map(
        ip_network,
        (
            *("192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24"),
            *("2001::/23", "2001:db8::/32", "3fff::/20"),
        ),
    )
)
_RESOLVE_SECONDS: Final = 2.0
_NO_URL: Final = "Please enter an address like https://hooks.example.org/streamgate."
_NOT_PUBLIC: Final = "This address is not public. WEBHOOK_ALLOW_PRIVATE=true allows private ones."
_NOT_SECURE: Final = "Webhooks go over https://. Plain http is for private addresses, with WEBHOOK_ALLOW_PRIVATE=true."

Address = IPv4Address | IPv6Address


class DestinationRefused(Exception):
    """Messages are not sent there; the text is a sentence that says why."""


class NameUnknown(DestinationRefused):
    """The name has no address, at least not now."""


@dataclass(frozen=True, slots=True)
class Destination:
    """The parts of a URL. `host` is without brackets, `target` is the path with its query."""

    scheme: str
    host: str
    port: int
    target: str

    @property
    def authority(self) -> str:
        host = bracketed(self.host)
        return host if self.port == _DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"


def parse(url: str) -> Destination:
    """Return the parts of a URL. Raise DestinationRefused if it is not a plain http or https URL."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise DestinationRefused(_NO_URL) from None
    host = parts.netloc.lower().removesuffix(f":{port}")
    is_plain = _HOST.fullmatch(host) and _REST.fullmatch(url) and not parts.fragment
    if parts.scheme not in _DEFAULT_PORTS or not is_plain or port == 0:
        raise DestinationRefused(_NO_URL)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Destination(parts.scheme, host.strip("[]"), port or _DEFAULT_PORTS[parts.scheme], target)


async def resolve(destination: Destination, *, allow_private: bool) -> list[Address]:
    """Return the addresses to connect to. Raise DestinationRefused if any of them is not allowed, or none is known.

    This takes two seconds at most.
    """
    if destination.scheme == "http" and not allow_private:
        raise DestinationRefused(_NOT_SECURE)
    try:
        with anyio.fail_after(_RESOLVE_SECONDS):
            found = await anyio.getaddrinfo(destination.host, destination.port, type=socket.SOCK_STREAM)
        addresses = [ip_address(str(entry[4][0]).partition("%")[0]) for entry in found]
    except (OSError, TimeoutError, ValueError):
        raise NameUnknown("The host name could not be resolved.") from None
    for address in addresses:
        _check_address(address, destination.scheme, allow_private=allow_private)
    return list(dict.fromkeys(addresses))


async def check(url: str, *, allow_private: bool) -> str:
    """Return the URL if a webhook may have it, else raise FieldRefused. A name that is not known yet is accepted."""
    try:
        await resolve(parse(url), allow_private=allow_private)
    except NameUnknown:
        return url
    except DestinationRefused as refusal:
        raise FieldRefused(_FIELD, str(refusal)) from None
    return url


def is_public(address: Address) -> bool:
    """Return whether an address is public; one that embeds another is public if the embedded one is."""
    embedded = _embedded(address)
    if embedded is not None:
        return is_public(embedded)
    is_excluded = any(address in network for network in _EXCLUDED if network.version == address.version)
    is_unicast = address.version == 4 or address in _GLOBAL_UNICAST  # noqa: PLR2004 - IPv4
    return address.is_global and is_unicast and not (address.is_multicast or address.is_reserved or is_excluded)


def is_private(address: Address) -> bool:
    """Return whether an address is local or in a private network; not so link-local ones, which serve cloud secrets."""
    embedded = _embedded(address)
    if embedded is not None:
        return is_private(embedded)
    is_special = address.is_unspecified or address.is_link_local or address.is_multicast
    is_reserved = address.is_reserved and not address.is_loopback  # ::1 is in a reserved network
    return address.is_private and not is_special and not is_reserved


def bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _check_address(address: Address, scheme: str, *, allow_private: bool) -> None:
    if is_public(address):
        if scheme == "http":
            raise DestinationRefused(_NOT_SECURE)
    elif not (allow_private and is_private(address)):
        raise DestinationRefused(_NOT_PUBLIC)


def _embedded(address: Address) -> Address | None:
    """Return the IPv4 address that an IPv6 address embeds, or None."""
    if isinstance(address, IPv4Address):
        return None
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)
