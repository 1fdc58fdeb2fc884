"""Resolve addresses in an event's playlists to its files, or say why the gate would not serve them."""

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import urljoin, urlsplit

from authz_sidecar.contract.playback_token import stream_prefix
from control_plane.streams import names
from control_plane.streams.faults import Failed, FaultReason

_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):(//)?")
_ELSEWHERE: Final = "It is on another host. Viewers' pages can only fetch from this gate: use a relative URL."
_OUTSIDE: Final = "It is outside the event's folder, and a viewer's token is valid only there."


@dataclass(frozen=True, slots=True)
class Address:
    """`name` is a path below the event's folder; `target` is what to request, including the original query."""

    name: str
    target: str
    is_rooted: bool


def resolve(event_id: str, base: str, uri: str) -> Address:
    """Resolve an address in the playlist `base` as a player does. Raise Failed with why it is not served."""
    scheme = _SCHEME.match(uri)
    if uri.startswith("//") or (scheme and scheme[2]):
        raise Failed(FaultReason.ELSEWHERE, _ELSEWHERE)
    if scheme:
        raise Failed(
            FaultReason.NAME, f"{_sentence(names.fault(uri) or '')} Players treat the part before it as a URL scheme."
        )
    if "#" in uri:
        raise Failed(FaultReason.NAME, "Its name contains “#”; players request only the part before it.")
    if "//" in uri.partition("?")[0]:
        raise Failed(FaultReason.NAME, "Its name contains an empty folder name (//).")
    prefix = stream_prefix(event_id)
    parts = urlsplit(urljoin(f"http://gate{prefix}{base}", uri))
    if not parts.path.startswith(prefix):
        raise Failed(FaultReason.OUTSIDE, _OUTSIDE)
    name = parts.path.removeprefix(prefix)
    if fault := names.fault(name) or names.query_fault(parts.query):
        raise Failed(FaultReason.NAME, _sentence(fault))
    return Address(name, f"{name}?{parts.query}" if parts.query else name, uri.startswith("/"))


def shown(uri: str) -> str:
    """Return an address that is safe to show: short, without its query, which may be secret, and without user info."""
    text = uri.partition("?")[0]
    if "//" in text:
        host, _, path = text.partition("//")[2].partition("/")
        text = f"{text.partition('//')[0]}//{host.rpartition('@')[2]}/{path}"
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text[:120])


def _sentence(fault: str) -> str:
    return f"{fault[:1].upper()}{fault[1:]}."
