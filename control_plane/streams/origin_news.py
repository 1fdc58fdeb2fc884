"""Events' own origins as edges get them: the list itself, and a notice in the feed that the list has changed.

The list contains credentials, so it is in no log and no page of the feed; sidecars fetch it when it has changed.
"""

import json
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from hashlib import sha256
from typing import Final, NamedTuple

import anyio
import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from control_plane.clock import utc_now
from control_plane.db.database import Database
from control_plane.revocations import revocation_feed
from control_plane.streams import origins
from control_plane.tasks import repeat

_CHECK_EVERY_SECONDS: Final = 2.0  # for events whose window has passed, and for a notice that was lost
log = structlog.get_logger()


class OriginList(NamedTuple):
    """The list as it is sent; equal lists have equal tags."""

    body: bytes
    tag: str


async def read(db: AsyncSession, now: datetime) -> OriginList:
    found = await origins.by_event(db, now)
    credentials = {
        event_id: origin.credentials._asdict() for event_id, origin in found.items() if any(origin.credentials)
    }
    body = {"origins": {event_id: origin.url for event_id, origin in found.items()}, "credentials": credentials}
    text = json.dumps(body, separators=(",", ":")).encode()
    return OriginList(text, sha256(text).hexdigest()[:32])


@dataclass
class OriginNews:
    """`tag` is that of the list at the last check, None before the first."""

    database: Database
    tag: str | None = field(default=None, init=False)

    def differs_from(self, known: str | None) -> bool:
        """Return whether a follower has another list. An older sidecar, which sends no tag, asks on its own."""
        return known is not None and self.tag is not None and known != self.tag

    async def run(self, stop: anyio.Event) -> None:
        """Check repeatedly, and at once after a change, until `stop`; announcements are closed then, too."""

        def on_failure(error: str) -> None:
            log.error("origins_not_watched", error=error)

        changed = partial(self.database.announcements.next, origins.TOPIC)
        await repeat(self.check, _CHECK_EVERY_SECONDS, stop, on_failure, wake_up=changed)

    async def check(self) -> None:
        """Wake the followers of the feed if the list has changed."""
        async with self.database.read() as db:
            tag = (await read(db, utc_now())).tag
        if tag != self.tag:
            self.tag = tag
            self.database.announcements.wake([revocation_feed.TOPIC])
