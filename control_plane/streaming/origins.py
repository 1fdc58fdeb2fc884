"""Where the stream of one event may come from: an address that its organiser names, on hosts that the operator allows.

An address is a scheme, a host, a port and a plain path. It must never hold anything else: what stands here is fetched
by the edges from inside their network.
"""

import re
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from control_plane.refusals import FieldRefused
from control_plane.storage.models import Event

DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_HOST: Final = r"(?:[0-9A-Za-z](?:[0-9A-Za-z.-]{0,252}[0-9A-Za-z])?|\[[0-9A-Fa-f:.]+\])"
_ENTRY: Final = re.compile(rf"({_HOST})(?::([0-9]{{1,5}}))?")
_WHOLE_HOST: Final = re.compile(_HOST)
_PATH: Final = re.compile(r"(/(?!\.)[0-9A-Za-z._~-]+)*")
_HIGHEST_PORT: Final = 65_535
_LONGEST_ACCESS: Final = timedelta(hours=168)
_TOKENS_OUTLIVE_TICKETS: Final = timedelta(seconds=65)  # a minute, and the gate's leeway
_NO_ADDRESS: Final = "Please enter an address like https://media.example.org/live/ or https://media.example.org/a.m3u8."


class Place(NamedTuple):
    """Who is asked: scheme, host (lower case, IPv6 in brackets) and port."""

    scheme: str
    host: str
    port: int

    @property
    def authority(self) -> str:
        return self.host if self.port == DEFAULT_PORTS[self.scheme] else f"{self.host}:{self.port}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}"


def read_address(text: str) -> tuple[Place, str]:
    """Split an address into its place and its path, which has no slash at its end. Raise ValueError."""
    parts = urlsplit(text)
    port = parts.port
    host, path = parts.netloc.removesuffix(f":{port}"), parts.path.rstrip("/")
    is_plain = _WHOLE_HOST.fullmatch(host) and _PATH.fullmatch(path) and text.isprintable()
    if parts.scheme not in DEFAULT_PORTS or not is_plain or port == 0 or "?" in text or "#" in text:
        raise ValueError("no address of an origin")
    return Place(parts.scheme, host.lower(), port or DEFAULT_PORTS[parts.scheme]), path


def read_allowed(hosts: str) -> tuple[Place, ...]:
    """Read `host[:port]`, separated by commas; without a port both schemes' own are meant. Raise ValueError."""
    entries = [entry.strip() for entry in hosts.split(",") if entry.strip()]
    return tuple(dict.fromkeys(place for entry in entries for place in _places(entry)))


def checked(stream_url: str | None, allowed: Collection[Place]) -> str | None:
    """Return an event's own origin in its one spelling. Raise FieldRefused."""
    if stream_url is None:
        return None
    try:
        place, path = read_address(stream_url)
    except ValueError:
        raise FieldRefused("streamUrl", _NO_ADDRESS) from None
    if place not in allowed:
        raise FieldRefused("streamUrl", f"No stream is fetched from {place}: UPSTREAM_ALLOWED_HOSTS does not list it.")
    return _spelled(place, path)


async def by_event(db: AsyncSession, now: datetime) -> dict[str, str]:
    """Give the own origins of all events that somebody may still watch, by event id.

    Who is allowed is not asked again: each edge's nginx has a list of its own and the last word.
    """
    past = now - _TOKENS_OUTLIVE_TICKETS
    query = select(Event.id, Event.stream_url, Event.ends_at, Event.access_window_hours).where(
        Event.stream_url.is_not(None), Event.ends_at > past - _LONGEST_ACCESS
    )
    rows = await db.execute(query.order_by(Event.id))
    watchable = ((event_id, url) for event_id, url, ends_at, hours in rows if ends_at + timedelta(hours=hours) > past)
    return {event_id: spelled for event_id, url in watchable if (spelled := _spelled_or_none(url))}


def _places(entry: str) -> list[Place]:
    found = _ENTRY.fullmatch(entry)
    if not found or (found[2] and not 1 <= int(found[2]) <= _HIGHEST_PORT):
        raise ValueError("must list hosts like media.example.org or 10.0.0.5:8888, separated by commas")
    host = found[1].lower()
    return [Place(scheme, host, int(found[2] or default)) for scheme, default in DEFAULT_PORTS.items()]


def _spelled(place: Place, path: str) -> str:
    """Spell a playlist without and a folder with a slash at its end."""
    return f"{place}{path}" if path.lower().endswith(".m3u8") else f"{place}{path}/"


def _spelled_or_none(url: str | None) -> str | None:
    """Spell what the database holds; None for what somebody else has written there and makes no sense."""
    try:
        return _spelled(*read_address(url or ""))
    except ValueError:
        return None
