"""Web origins as text, like https://tickets.example.org:8443: what a browser calls a place of ours.

What is no plain origin must never become part of a link: no user, no path, no odd byte gets through.
"""

import re
from typing import Final

HOST: Final = r"[0-9a-z_][0-9a-z_.-]{0,252}|\[[0-9a-f:.]{2,45}\]"
_ORIGIN: Final = re.compile(rf"(https?)://({HOST})(?::([1-9][0-9]{{0,4}}))?", re.ASCII | re.IGNORECASE)
_NAMED_HOST: Final = re.compile(r"[0-9a-z](?:[0-9a-z.-]{0,251}[0-9a-z])?(?::[1-9][0-9]{0,4})?", re.ASCII)
_DEFAULT_PORTS: Final = {"http": "80", "https": "443"}


def parse_origin(text: str) -> str | None:
    """Return it in lower case and without its scheme's own port; None for what is no origin."""
    found = _ORIGIN.fullmatch(text)
    if found is None:
        return None
    scheme, host, port = found[1].lower(), found[2].lower(), found[3]
    return f"{scheme}://{host}" if port in {None, _DEFAULT_PORTS[scheme]} else f"{scheme}://{host}:{port}"


def host_of(origin: str) -> str:
    """Return the host of an origin, with its port where one is named."""
    return origin.partition("://")[2]


def parse_hosts(text: str) -> tuple[str, ...]:
    """Read hosts separated by commas, each exactly like www.example.org or localhost:8000. Raise ValueError."""
    hosts = tuple(part.strip().lower() for part in text.split(",") if part.strip())
    if not all(_NAMED_HOST.fullmatch(host) for host in hosts):
        raise ValueError("must be hosts like www.example.org or localhost:8000, separated by commas")
    return hosts
