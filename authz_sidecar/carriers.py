"""The carriers of a playback token: header, query, cookie or path.

nginx extracts the query and path tokens from the URL and passes them on in its own headers; the sidecar reads nothing
else. The first carrier present decides: an invalid token there is refused even if a later carrier holds a valid one.
"""

from collections.abc import Mapping

COOKIE_NAME = b"sg_playback="


def token_of(headers: Mapping[bytes, bytes]) -> str | None:
    """Return the text of the first carrier present, or None if there is none."""
    found = _bearer(headers.get(b"authorization"))
    if found is None:
        found = headers.get(b"x-gate-query-token")
    if found is None:
        found = _cookie(headers.get(b"cookie"))
    if found is None:
        found = headers.get(b"x-gate-path-token")
    return None if found is None else found.decode("latin-1")


def _bearer(value: bytes | None) -> bytes | None:
    """Return the credentials of the Bearer scheme (RFC 6750 section 2.1); other schemes are ignored."""
    if value is None:
        return None
    scheme, _, credentials = value.partition(b" ")
    return credentials.strip(b" ") if scheme.lower() == b"bearer" else None


def _cookie(value: bytes | None) -> bytes | None:
    if value is None or not value.startswith(COOKIE_NAME):
        return None
    return value[len(COOKIE_NAME) :]
