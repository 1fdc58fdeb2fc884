"""Where the stream of one event may come from: an address that its organiser names, on hosts that the operator allows.

An address is a scheme, a host, a port and a plain path. It must never hold anything else: what stands here is fetched
by the edges from inside their network.
"""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from authz_sidecar.contract import origin_credentials
from authz_sidecar.contract.origin_addresses import Place, read_address
from authz_sidecar.contract.origin_credentials import Credentials
from control_plane.db.announcements import announce
from control_plane.db.sealing import SealBroken, sealer_of
from control_plane.errors import Conflict, FieldRefused
from control_plane.models import Event

TOPIC: Final = "origins"  # announced wherever an event's own origin may have become another one
_LONGEST_ACCESS: Final = timedelta(hours=168)
_TOKENS_OUTLIVE_TICKETS: Final = timedelta(seconds=65)  # a minute, and the gate's leeway
_NO_ADDRESS: Final = "Please enter an address like https://media.example.org/live/ or https://media.example.org/a.m3u8."


def checked(stream_url: str | None, allowed: Collection[Place]) -> str | None:
    """Return an event's own origin in its one spelling. Raise FieldRefused."""
    if stream_url is None:
        return None
    try:
        place, path = read_address(stream_url)
    except ValueError:
        raise FieldRefused("streamUrl", _NO_ADDRESS) from None
    if place not in allowed:
        raise FieldRefused(
            "streamUrl", f"Streams cannot be fetched from {place}: UPSTREAM_ALLOWED_HOSTS does not list it."
        )
    return _spelled(place, path)


class OwnOrigin(NamedTuple):
    """Where an event's stream is, and what is shown there."""

    url: str
    credentials: Credentials


def show(db: AsyncSession, event: Event, header: str | None, query: str | None) -> None:
    """Let the event's own origin be shown these from now on. Raise Conflict, FieldRefused or SecretsKeyMissing."""
    if event.stream_url is None and (header or query):
        raise Conflict("This event has no stream source of its own, so it needs no credentials.")
    announce(db, TOPIC)
    event.origin_header = _sealed(db, _checked("header", header or "").header)
    event.origin_query = _sealed(db, _checked("query", query or "").query)


def shown(event: Event) -> dict[str, bool]:
    """Tell whether the event's own origin is shown anything: all that anybody is told of it again."""
    return {"header": event.origin_header is not None, "query": event.origin_query is not None}


def move(db: AsyncSession, event: Event, stream_url: str | None) -> None:
    """Let an event's stream come from elsewhere. What one host was shown is never shown to another one."""
    announce(db, TOPIC)  # its time may be another one, too
    if _place_of(event.stream_url) != _place_of(stream_url):
        event.origin_header = event.origin_query = None
    event.stream_url = stream_url


async def by_event(db: AsyncSession, now: datetime) -> dict[str, OwnOrigin]:
    """Give the own origins of all events that somebody may still watch, by event id.

    Who is allowed is not asked again: each edge's fetcher has a list of its own and the last word.
    """
    past = now - _TOKENS_OUTLIVE_TICKETS
    own = Event.stream_url.is_not(None), Event.ends_at > past - _LONGEST_ACCESS
    events = (await db.scalars(select(Event).where(*own).order_by(Event.id))).all()
    watchable = [event for event in events if event.ends_at + timedelta(hours=event.access_window_hours) > past]
    return {event.id: found for event in watchable if (found := _own_or_none(db, event))}


def _checked(field: str, text: str) -> Credentials:
    try:
        return origin_credentials.checked(*((text, "") if field == "header" else ("", text)))
    except ValueError as error:
        raise FieldRefused(field, f"This {error}.") from None


def _sealed(db: AsyncSession, text: str) -> str | None:
    return sealer_of(db).seal(text) if text else None


def _own_or_none(db: AsyncSession, event: Event) -> OwnOrigin | None:
    url = _spelled_or_none(event.stream_url)
    shown = Credentials(_opened(db, event.origin_header), _opened(db, event.origin_query))
    return OwnOrigin(url, shown) if url else None


def _opened(db: AsyncSession, sealed: str | None) -> str:
    """Open what is shown; what no key opens is shown to nobody, and the origin will say that it misses it."""
    try:
        return sealer_of(db).open(sealed) if sealed else ""
    except SealBroken:
        return ""


def _place_of(url: str | None) -> Place | None:
    try:
        return read_address(url)[0] if url else None
    except ValueError:
        return None


def _spelled(place: Place, path: str) -> str:
    """Spell a playlist without and a folder with a slash at its end."""
    return f"{place}{path}" if path.lower().endswith(".m3u8") else f"{place}{path}/"


def _spelled_or_none(url: str | None) -> str | None:
    """Spell what the database holds; None for what somebody else has written there and makes no sense."""
    try:
        return _spelled(*read_address(url or ""))
    except ValueError:
        return None
