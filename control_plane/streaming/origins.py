"""Where the stream of one event may come from: an address that its organiser names, on hosts that the operator allows.

An address is a scheme, a host, a port and a plain path. It must never hold anything else: what stands here is fetched
by the edges from inside their network.
"""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from authz_sidecar.contract.origin_addresses import Place, read_address
from control_plane.refusals import FieldRefused
from control_plane.storage.models import Event

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


def _spelled(place: Place, path: str) -> str:
    """Spell a playlist without and a folder with a slash at its end."""
    return f"{place}{path}" if path.lower().endswith(".m3u8") else f"{place}{path}/"


def _spelled_or_none(url: str | None) -> str | None:
    """Spell what the database holds; None for what somebody else has written there and makes no sense."""
    try:
        return _spelled(*read_address(url or ""))
    except ValueError:
        return None
