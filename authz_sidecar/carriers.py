"""Where a playback token travels: header, query, cookie or path.

nginx takes the query and path tokens out of the URL and hands them on under names of its own; the sidecar reads
nothing else. The first carrier present decides: a bad one is not rescued by a good one after it.
"""

from collections.abc import Mapping

COOKIE_NAME = b"sg_playback="


def token_of(headers: Mapping[bytes, bytes]) -> str | None:
    """Return the text of the first carrier present, None when there is none."""
    found = _bearer(headers.get(b"authorization"))
    if found is None:
        found = headers.get(b"x-gate-query-token")
    if found is None:
        found = _cookie(headers.get(b"cookie"))
    if found is None:
        found = headers.get(b"x-gate-path-token")
    return None if found is None else found.decode("latin-1")


def _bearer(value: bytes | None) -> bytes | None:
    """Return the credentials of the Bearer scheme (RFC 6750 section 2.1); another scheme is no carrier."""
    if value is None:
        return None
    scheme, _, credentials = value.partition(b" ")
    return credentials.strip(b" ") if scheme.lower() == b"bearer" else None


def _cookie(value: bytes | None) -> bytes | None:
    if value is None or not value.startswith(COOKIE_NAME):
        return None
    return value[len(COOKIE_NAME) :]
