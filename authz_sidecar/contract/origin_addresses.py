"""Addresses of origins: a scheme, a host, a port and a plain path, parsed in the same way everywhere.

An address must never contain anything else: edges fetch it from inside their network.
"""

import re
from typing import Final, NamedTuple
from urllib.parse import urlsplit

DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_HOST: Final = r"(?:[0-9A-Za-z](?:[0-9A-Za-z.-]{0,252}[0-9A-Za-z])?|\[[0-9A-Fa-f:.]+\])"
_ENTRY: Final = re.compile(rf"({_HOST})(?::([0-9]{{1,5}}))?")
_WHOLE_HOST: Final = re.compile(_HOST)
_PATH: Final = re.compile(r"(/(?!\.)[0-9A-Za-z._~-]+)*")
_HIGHEST_PORT: Final = 65_535


class OriginServer(NamedTuple):
    """The server of an origin: scheme, host (lower case, IPv6 in brackets) and port."""

    scheme: str
    host: str
    port: int

    @property
    def authority(self) -> str:
        return self.host if self.port == DEFAULT_PORTS[self.scheme] else f"{self.host}:{self.port}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}"


def read_address(text: str) -> tuple[OriginServer, str]:
    """Split an address into its place and its path without a trailing slash. Raise ValueError."""
    parts = urlsplit(text)
    port = parts.port
    host, path = parts.netloc.removesuffix(f":{port}"), parts.path.rstrip("/")
    is_plain = _WHOLE_HOST.fullmatch(host) and _PATH.fullmatch(path) and text.isprintable()
    if parts.scheme not in DEFAULT_PORTS or not is_plain or port == 0 or "?" in text or "#" in text:
        raise ValueError("not the address of an origin")
    return OriginServer(parts.scheme, host.lower(), port or DEFAULT_PORTS[parts.scheme]), path


def read_allowed(hosts: str) -> tuple[OriginServer, ...]:
    """Parse `host[:port]`, separated by commas; without a port, each scheme's default is meant. Raise ValueError."""
    entries = [entry.strip() for entry in hosts.split(",") if entry.strip()]
    return tuple(dict.fromkeys(place for entry in entries for place in _places(entry)))


def _places(entry: str) -> list[OriginServer]:
    found = _ENTRY.fullmatch(entry)
    if not found or (found[2] and not 1 <= int(found[2]) <= _HIGHEST_PORT):
        raise ValueError("must list hosts like media.example.org or 10.0.0.5:8888, separated by commas")
    host = found[1].lower()
    return [OriginServer(scheme, host, int(found[2] or default)) for scheme, default in DEFAULT_PORTS.items()]
