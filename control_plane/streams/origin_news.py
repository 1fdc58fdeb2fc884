"""What edges are told of events' own origins: the list, and by the feed that it has become another one.

The list holds what origins are shown, so it lies in no log and no page of the feed; sidecars fetch it when it is news.
"""

import json
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import Final, NamedTuple

import anyio
import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from control_plane.clock import utc_now
from control_plane.db.database import Database
from control_plane.revocations import revocation_feed
from control_plane.streams import origins

_LOOK_EVERY_SECONDS: Final = 2.0  # for what another process has changed, and for events whose time is over
log = structlog.get_logger()


class OriginList(NamedTuple):
    """As it travels; equal lists have equal tags."""

    body: bytes
    tag: str


async def read(db: AsyncSession, now: datetime) -> OriginList:
    found = await origins.by_event(db, now)
    shown = {event_id: own.credentials._asdict() for event_id, own in found.items() if any(own.credentials)}
    body = {"origins": {event_id: own.url for event_id, own in found.items()}, "credentials": shown}
    text = json.dumps(body, separators=(",", ":")).encode()
    return OriginList(text, sha256(text).hexdigest()[:32])


@dataclass
class OriginNews:
    """`tag` is the list's of the last look, None before the first."""

    database: Database
    tag: str | None = field(default=None, init=False)

    def is_news_to(self, known: str | None) -> bool:
        """Tell whether a follower has another list. One that says nothing of it, an older sidecar, asks by itself."""
        return known is not None and self.tag is not None and known != self.tag

    async def run(self, stop: anyio.Event) -> None:
        """Look again and again, at once after a change, until `stop`. Never cancel it, as revocation_feed.watch."""
        while not stop.is_set():
            changed = self.database.announcements.next(origins.TOPIC)
            try:
                await self.look()
            except SQLAlchemyError as error:
                log.error("origins_not_watched", error=type(error).__name__)
            with anyio.move_on_after(_LOOK_EVERY_SECONDS):
                await changed.wait()

    async def look(self) -> None:
        """Wake those who follow the feed if the list has become another one."""
        async with self.database.read() as db:
            tag = (await read(db, utc_now())).tag
        if tag != self.tag:
            self.tag = tag
            self.database.announcements.wake([revocation_feed.TOPIC])
