"""Credentials for an origin: one secret header and a fixed query, validated in the same way everywhere.

They are secrets: they must never appear in a message, a log or a cache key, and must never contain a second header.
"""

import re
from typing import Final, NamedTuple

_HEADER: Final = re.compile(r"([0-9A-Za-z](?:[0-9A-Za-z_-]{0,62}[0-9A-Za-z])?): ?([!-~](?:[ -~]{0,4094}[!-~])?)")
_QUERY: Final = re.compile(r"(?:[0-9A-Za-z._~!$'()*+,;:@/?=&-]|%[0-9A-Fa-f]{2}){1,4096}")
# Headers that the edge itself sends, hop-by-hop headers, and headers that would change the meaning of the answer.
_OURS: Final = re.compile(
    r"host|range|te|trailer|upgrade|expect|connection|keep-alive|transfer-encoding|http2-settings"
    r"|(?:content|accept|if|proxy|x-gate|x-forwarded|sec)-.*",
    re.IGNORECASE,
)
_OURS_IN_QUERY: Final = re.compile(r"(?:^|[&;])(?:_HLS_|__token)", re.IGNORECASE)


class Credentials(NamedTuple):
    """`header` as "Name: value" and `query` without its question mark; "" if there is none."""

    header: str = ""
    query: str = ""

    def __repr__(self) -> str:
        return "Credentials(...)"


def read_header(text: str) -> tuple[str, str]:
    """Split "Name: value". Raise ValueError, whose message never repeats the text."""
    found = _HEADER.fullmatch(text)
    if not found:
        raise ValueError('must be one header like "Authorization: Bearer ...", printable ASCII in one line')
    if _OURS.fullmatch(found[1]):
        raise ValueError("must be a header that the edge does not send itself: not Host, Range, Content-..., If-...")
    return found[1], found[2]


def read_query(text: str) -> str:
    """Return the query to append to each address, without a question mark. Raise ValueError."""
    query = text.removeprefix("?")
    if not _QUERY.fullmatch(query):
        raise ValueError("must be a query like key=value&other=value, percent-encoded")
    if _OURS_IN_QUERY.search(query):
        raise ValueError("must not contain _HLS_ parameters or __token")
    return query


def normalize(header: str, query: str) -> Credentials:
    """Return both in normalized form; empty texts stay empty. Raise ValueError."""
    return Credentials(": ".join(read_header(header)) if header else "", read_query(query) if query else "")
