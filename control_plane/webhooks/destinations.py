"""Where a webhook may go: public addresses over https, unless the operator says that private ones are meant, too.

A name is resolved, every address that it has is judged, and the connection is made to one of these and to no other: a
name that was harmless when it was entered can be anything when it is used (DNS rebinding).
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
# All of IPv6 that leads into the internet; not so the old site-local addresses (fec0::/10) and what is yet unassigned.
_GLOBAL_UNICAST: Final = IPv6Network("2000::/3")
# What Python's own tables, as old as this Python, may take for global: protocol assignments, documentation, relays.
_NOT_PUBLIC_EITHER: Final = tuple(
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
_NOT_PUBLIC: Final = "This address is not public. WEBHOOK_ALLOW_PRIVATE=true lets webhooks go to private ones."
_NOT_SECURE: Final = "Webhooks go over https://. Plain http is for private addresses, with WEBHOOK_ALLOW_PRIVATE=true."

Address = IPv4Address | IPv6Address


class DestinationRefused(Exception):
    """No message goes there; the sentence says why."""


class NameUnknown(DestinationRefused):
    """The name has no address, at least not now."""


@dataclass(frozen=True, slots=True)
class Destination:
    """A URL in its parts. `host` is without brackets, `target` the path with its query."""

    scheme: str
    host: str
    port: int
    target: str

    @property
    def authority(self) -> str:
        host = bracketed(self.host)
        return host if self.port == _DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"


def parse(url: str) -> Destination:
    """Raise DestinationRefused for what is no plain http or https URL."""
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
    """Return the addresses that may be connected to. Raise DestinationRefused if any of them may not, or none is known.

    It takes two seconds at most.
    """
    if destination.scheme == "http" and not allow_private:
        raise DestinationRefused(_NOT_SECURE)
    try:
        with anyio.fail_after(_RESOLVE_SECONDS):
            found = await anyio.getaddrinfo(destination.host, destination.port, type=socket.SOCK_STREAM)
        addresses = [ip_address(str(entry[4][0]).partition("%")[0]) for entry in found]
    except (OSError, TimeoutError, ValueError):
        raise NameUnknown("The name of the host is not known.") from None
    for address in addresses:
        _judge(address, destination.scheme, allow_private=allow_private)
    return list(dict.fromkeys(addresses))


async def check(url: str, *, allow_private: bool) -> str:
    """Return a URL that a webhook may have; raise FieldRefused. A name that is not known yet may become so."""
    try:
        await resolve(parse(url), allow_private=allow_private)
    except NameUnknown:
        return url
    except DestinationRefused as refusal:
        raise FieldRefused(_FIELD, str(refusal)) from None
    return url


def is_public(address: Address) -> bool:
    """Tell whether an address leads out into the internet; one that carries another leads where that one does."""
    carried = _carried(address)
    if carried is not None:
        return is_public(carried)
    is_elsewhere = any(address in network for network in _NOT_PUBLIC_EITHER if network.version == address.version)
    is_unicast = address.version == 4 or address in _GLOBAL_UNICAST  # noqa: PLR2004 - IPv4
    return address.is_global and is_unicast and not (address.is_multicast or address.is_reserved or is_elsewhere)


def is_private(address: Address) -> bool:
    """Tell whether an address is this machine or of a private network. Link-local ones hold a cloud's secrets."""
    carried = _carried(address)
    if carried is not None:
        return is_private(carried)
    is_odd = address.is_unspecified or address.is_link_local or address.is_multicast
    is_reserved = address.is_reserved and not address.is_loopback  # ::1 lies in a reserved network
    return address.is_private and not is_odd and not is_reserved


def bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _judge(address: Address, scheme: str, *, allow_private: bool) -> None:
    if is_public(address):
        if scheme == "http":
            raise DestinationRefused(_NOT_SECURE)
    elif not (allow_private and is_private(address)):
        raise DestinationRefused(_NOT_PUBLIC)


def _carried(address: Address) -> Address | None:
    """Return the IPv4 address that an IPv6 address stands for."""
    if isinstance(address, IPv4Address):
        return None
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)
