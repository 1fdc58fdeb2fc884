"""Web origins as text, such as https://tickets.example.org:8443.

Text that is not a plain origin must never become part of a link: user names, paths and unusual characters are refused.
"""

import re
from typing import Final

HOST: Final = r"[0-9a-z_][0-9a-z_.-]{0,252}|\[[0-9a-f:.]{2,45}\]"
_ORIGIN: Final = re.compile(rf"(https?)://({HOST})(?::([1-9][0-9]{{0,4}}))?", re.ASCII | re.IGNORECASE)
_NAMED_HOST: Final = re.compile(r"[0-9a-z](?:[0-9a-z.-]{0,251}[0-9a-z])?(?::[1-9][0-9]{0,4})?", re.ASCII)
_DEFAULT_PORTS: Final = {"http": "80", "https": "443"}


def parse_origin(text: str) -> str | None:
    """Return the origin in lower case and without its scheme's default port; None if the text is not an origin."""
    found = _ORIGIN.fullmatch(text)
    if found is None:
        return None
    scheme, host, port = found[1].lower(), found[2].lower(), found[3]
    return f"{scheme}://{host}" if port in {None, _DEFAULT_PORTS[scheme]} else f"{scheme}://{host}:{port}"


def host_of(origin: str) -> str:
    """Return the host of an origin, with its port if it has one."""
    return origin.partition("://")[2]


def parse_hosts(text: str) -> tuple[str, ...]:
    """Parse comma-separated hosts, each like www.example.org or localhost:8000. Raise ValueError."""
    hosts = tuple(part.strip().lower() for part in text.split(",") if part.strip())
    if not all(_NAMED_HOST.fullmatch(host) for host in hosts):
        raise ValueError("must be hosts like www.example.org or localhost:8000, separated by commas")
    return hosts
