"""The feed's pages as they are sent: one read and one serialised page per change, for any number of followers.

A page that was read is valid until the next wake-up, which follows every change that a reader could miss. It must
never outlive that wake-up, and is never given to a caller that took its wake-up event after the read began.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, NamedTuple

import anyio
from anyio import to_thread

from authz_sidecar.contract.feed import FeedPage
from control_plane.db.database import Database
from control_plane.revocations import revocation_feed
from control_plane.revocations.revocation_feed import EncodedPage, LogSetBack

_MANY_CHANGES: Final = 500  # pages of this size are serialised in a thread
_MAX_CACHED_BYTES: Final = 65_536  # a snapshot of a million changes is not cached


class RenderedPage(NamedTuple):
    """A page, its serialised form, and when its last change was made."""

    page: FeedPage
    body: bytes
    newest: datetime | None
    is_empty: bool


@dataclass
class _Reading:
    """A read that is in progress until `done`; it has failed if there is no page then."""

    done: anyio.Event = field(default_factory=anyio.Event)
    rendered: RenderedPage | None = None


class FeedPages:
    """`reads` counts the reads of the database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._wake_up: anyio.Event | None = None
        self._readings: dict[str, _Reading] = {}
        self.reads = 0

    async def after(self, cursor: str, wake_up: anyio.Event, *, fresh: bool = False) -> RenderedPage:
        """Return what comes after the cursor. `wake_up` is the event that the caller took before.

        `fresh` is for callers that do not wait for that event: they get no page whose read is already done.
        """
        if wake_up is not self._wake_up:
            self._wake_up, self._readings = wake_up, {}
        found = self._readings.get(cursor)
        if found and not (fresh and found.done.is_set()):
            await found.done.wait()
            if found.rendered:
                return found.rendered
        return await self._read(cursor)

    async def _read(self, cursor: str) -> RenderedPage:
        readings, reading = self._readings, _Reading()
        readings[cursor] = reading
        self.reads += 1
        try:
            reading.rendered = await self._render(cursor)
            return reading.rendered
        finally:
            reading.done.set()
            is_cached = reading.rendered and len(reading.rendered.body) < _MAX_CACHED_BYTES
            if not is_cached and readings.get(cursor) is reading:
                del readings[cursor]

    async def _render(self, cursor: str) -> RenderedPage:
        encoded = await self._read_log(cursor)
        is_long = len(encoded.rows) >= _MANY_CHANGES
        body = await to_thread.run_sync(encoded.body) if is_long else encoded.body()  # so as not to block others
        return RenderedPage(encoded.page, body, encoded.newest, not encoded.rows)

    async def _read_log(self, cursor: str) -> EncodedPage:
        """Read what comes after the cursor: a snapshot of a new history if the database was set back."""
        try:
            async with self._database.read() as db:
                return await revocation_feed.read_encoded_page(db, cursor)
        except LogSetBack as set_back:
            await revocation_feed.begin_epoch(self._database, str(set_back))
        async with self._database.read() as db:
            return await revocation_feed.read_encoded_page(db, cursor)
