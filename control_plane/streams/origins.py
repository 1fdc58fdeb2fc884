"""Where the stream of one event may come from: an address given by its organiser, on hosts that the operator allows.

An address is a scheme, a host, a port and a plain path. It must never contain anything else: the edges fetch it from
inside their network.
"""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from authz_sidecar.contract import origin_credentials
from authz_sidecar.contract.origin_addresses import OriginServer, read_address
from authz_sidecar.contract.origin_credentials import Credentials
from control_plane.db.announcements import announce
from control_plane.db.sealing import SealBroken, sealer_of
from control_plane.errors import Conflict, FieldRefused
from control_plane.tables import Event

TOPIC: Final = "origins"  # announced wherever an event's own origin may have changed
_MAX_ACCESS_WINDOW: Final = timedelta(hours=168)
_TOKENS_OUTLIVE_TICKETS: Final = timedelta(seconds=65)  # a minute plus the gate's leeway
_NO_ADDRESS: Final = "Please enter an address like https://media.example.org/live/ or https://media.example.org/a.m3u8."


def checked(stream_url: str | None, allowed: Collection[OriginServer]) -> str | None:
    """Return an event's own origin in normalised form. Raise FieldRefused."""
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
    return _normalized(place, path)


class OwnOrigin(NamedTuple):
    """Where an event's stream is, and the credentials for it."""

    url: str
    credentials: Credentials


def set_credentials(db: AsyncSession, event: Event, header: str | None, query: str | None) -> None:
    """Use these credentials for the event's own origin from now on.

    Raise Conflict, FieldRefused or SecretsKeyMissing.
    """
    if event.stream_url is None and (header or query):
        raise Conflict("This event has no stream source of its own, so it needs no credentials.")
    announce(db, TOPIC)
    event.origin_header = _sealed(db, _checked("header", header or "").header)
    event.origin_query = _sealed(db, _checked("query", query or "").query)


def credentials_set(event: Event) -> dict[str, bool]:
    """Return which credentials the event's own origin has: nothing else about them is ever disclosed."""
    return {"header": event.origin_header is not None, "query": event.origin_query is not None}


def change_address(db: AsyncSession, event: Event, stream_url: str | None) -> None:
    """Change where an event's stream comes from. Credentials for one host are never sent to another one."""
    announce(db, TOPIC)  # the event's window may have changed, too
    if _place_of(event.stream_url) != _place_of(stream_url):
        event.origin_header = event.origin_query = None
    event.stream_url = stream_url


async def by_event(db: AsyncSession, now: datetime) -> dict[str, OwnOrigin]:
    """Return the own origins of all events that may still be watched, by event id.

    Whether their hosts are allowed is not checked again: each edge's fetcher has its own list and the final say.
    """
    past = now - _TOKENS_OUTLIVE_TICKETS
    own = Event.stream_url.is_not(None), Event.ends_at > past - _MAX_ACCESS_WINDOW
    events = (await db.scalars(select(Event).where(*own).order_by(Event.id))).all()
    watchable = [event for event in events if event.ends_at + timedelta(hours=event.access_window_hours) > past]
    return {event.id: found for event in watchable if (found := _own_or_none(db, event))}


def _checked(field: str, text: str) -> Credentials:
    try:
        return origin_credentials.normalize(*((text, "") if field == "header" else ("", text)))
    except ValueError as error:
        raise FieldRefused(field, f"This {error}.") from None


def _sealed(db: AsyncSession, text: str) -> str | None:
    return sealer_of(db).seal(text) if text else None


def _own_or_none(db: AsyncSession, event: Event) -> OwnOrigin | None:
    url = _normalized_or_none(event.stream_url)
    credentials = Credentials(_opened(db, event.origin_header), _opened(db, event.origin_query))
    return OwnOrigin(url, credentials) if url else None


def _opened(db: AsyncSession, sealed: str | None) -> str:
    """Return the decrypted credential, or "" if no key opens it: then none is sent, and the origin will refuse."""
    try:
        return sealer_of(db).open(sealed) if sealed else ""
    except SealBroken:
        return ""


def _place_of(url: str | None) -> OriginServer | None:
    try:
        return read_address(url)[0] if url else None
    except ValueError:
        return None


def _normalized(place: OriginServer, path: str) -> str:
    """Return a playlist's address without a trailing slash, and a folder's with one."""
    return f"{place}{path}" if path.lower().endswith(".m3u8") else f"{place}{path}/"


def _normalized_or_none(url: str | None) -> str | None:
    """Return a stored address in normalised form, or None if it is invalid, as it was not written by this code."""
    try:
        return _normalized(*read_address(url or ""))
    except ValueError:
        return None
