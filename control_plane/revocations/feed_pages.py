"""The feed's pages as they are handed out: one read and one serialised page a change, however many follow.

A page that was read is good until the next wake-up call, which comes after every change that a reader could miss.
It must never outlive that call, and is never handed to somebody whose own call was made after the read began.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, NamedTuple

import anyio
from anyio import to_thread

from authz_sidecar.contract.feed import Page
from control_plane.db.database import Database
from control_plane.revocations import revocation_feed
from control_plane.revocations.revocation_feed import EncodedPage, LogSetBack

_MANY_CHANGES: Final = 500  # such a page is serialised in a thread
_KEPT_BYTES: Final = 65_536  # a snapshot of a million is not kept in memory


class RenderedPage(NamedTuple):
    """A page, the bytes in which it travels, and when its last change was made."""

    page: Page
    body: bytes
    newest: datetime | None
    is_empty: bool


@dataclass
class _Reading:
    """A read that is under way until `done`; it has failed if there is no handout then."""

    done: anyio.Event = field(default_factory=anyio.Event)
    handout: RenderedPage | None = None


class FeedPages:
    """`reads` counts how often the database was asked."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._call: anyio.Event | None = None
        self._readings: dict[str, _Reading] = {}
        self.reads = 0

    async def after(self, cursor: str, call: anyio.Event, *, fresh: bool = False) -> RenderedPage:
        """Return what comes after the cursor. `call` is the wake-up call that was taken before.

        `fresh` where nobody waits for that call: then nothing is answered from memory that has been read before.
        """
        if call is not self._call:
            self._call, self._readings = call, {}
        found = self._readings.get(cursor)
        if found and not (fresh and found.done.is_set()):
            await found.done.wait()
            if found.handout:
                return found.handout
        return await self._read(cursor)

    async def _read(self, cursor: str) -> RenderedPage:
        readings, reading = self._readings, _Reading()
        readings[cursor] = reading
        self.reads += 1
        try:
            reading.handout = await self._handout(cursor)
            return reading.handout
        finally:
            reading.done.set()
            is_kept = reading.handout and len(reading.handout.body) < _KEPT_BYTES
            if not is_kept and readings.get(cursor) is reading:
                del readings[cursor]

    async def _handout(self, cursor: str) -> RenderedPage:
        answer = await self._answer(cursor)
        is_long = len(answer.rows) >= _MANY_CHANGES
        body = await to_thread.run_sync(answer.body) if is_long else answer.body()  # others' answers go in between
        return RenderedPage(answer.page, body, answer.newest, not answer.rows)

    async def _answer(self, cursor: str) -> EncodedPage:
        """Read what comes after the cursor: a snapshot of a new history where the database was set back."""
        try:
            async with self._database.read() as db:
                return await revocation_feed.read_answer(db, cursor)
        except LogSetBack as set_back:
            await revocation_feed.begin_epoch(self._database, str(set_back))
        async with self._database.read() as db:
            return await revocation_feed.read_answer(db, cursor)
