"""Looks at the streams of events: one look every five seconds an event at most, however many ask.

It never fails and never holds anybody up for longer than half a second: a look that takes longer goes on without them,
for the next ones to ask. What could not be seen is unknown, and then the clock decides.
"""

import asyncio
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import anyio
import structlog
from cachetools import LRUCache

from control_plane.events import events
from control_plane.models import Event
from control_plane.streams.addresses import resolve
from control_plane.streams.event_status import NOTHING_YET, Movement, Status, Stream, decide, follow, stream_of
from control_plane.streams.faults import Failed, FaultReason, error
from control_plane.streams.inspection import MASTER, Inspection, inspect
from control_plane.streams.playlist_reader import FetchedPlaylist, PlaylistReader, ReadFailed
from control_plane.streams.playlists import Master, Media, NoPlaylist, read
from control_plane.streams.stream_files import GateFiles

REMEMBERED_SECONDS: Final = 5.0
WAITING_SECONDS: Final = 40.0
LOOK_SECONDS: Final = 0.5
_LONGEST_LOOK_SECONDS: Final = 5.0
_STALE_SECONDS: Final = REMEMBERED_SECONDS + 2 * _LONGEST_LOOK_SECONDS
_EARLY: Final = timedelta(hours=1)  # nobody wants to know earlier than this
_MOST_EVENTS: Final = 10_000
_SAID_AFTER_FAILURES: Final = 2
_INSPECTIONS_AT_ONCE: Final = 4
_NOT_FOUND: Final = 404
log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Observation:
    """What the last look at an event's stream saw, and when it began (seconds)."""

    stream: Stream
    looked_at: float
    movement: Movement | None = None


class Probe:
    """`reader` is None where no gate was named: then every stream is unknown."""

    def __init__(self, reader: PlaylistReader | None, look_seconds: float = LOOK_SECONDS) -> None:
        self._reader = reader
        self._look_seconds = look_seconds
        self._sights: LRUCache[str, Observation] = LRUCache(_MOST_EVENTS)
        self._under_way: dict[str, asyncio.Task[None]] = {}
        self._failures: LRUCache[str, int] = LRUCache(_MOST_EVENTS)
        self._inspections = anyio.CapacityLimiter(_INSPECTIONS_AT_ONCE)

    async def status(self, event: Event, now: datetime) -> Status:
        """Tell how the event stands, looking at its stream if the last look is too old."""
        if self._remembered(event, now) is None and self._reader:
            await self._look_once(self._reader, event, now)
        return self.remembered_status(event, now)

    def remembered_status(self, event: Event, now: datetime) -> Status:
        """Tell how the event stands without looking: by what is remembered, else by the clock."""
        sight = self._remembered(event, now, _STALE_SECONDS if event.id in self._under_way else REMEMBERED_SECONDS)
        return _status(event, sight, now)

    def nothing_plays(self, event: Event, now: datetime) -> bool:
        """Tell whether nobody can watch anything yet, as far as is known without looking.

        Pages that wait ask every half a minute, so there is a sight where somebody waits; who begins to play has asked.
        """
        sight = self._remembered(event, now, WAITING_SECONDS)
        return _status(event, sight, now) in NOTHING_YET

    async def statuses(self, found: Collection[Event], now: datetime) -> dict[str, Status]:
        """Tell how events stand, by id. All that somebody may watch are looked at together: it takes no longer."""
        async with anyio.create_task_group() as looks:
            for event in found:
                if event.is_active and event.starts_at - _EARLY <= now < events.ticket_expiry(event):
                    looks.start_soon(self.status, event, now)
        return {event.id: self.remembered_status(event, now) for event in found}

    async def inspect(self, event: Event, clock: Callable[[], datetime]) -> Inspection:
        """Look at all of the stream, for somebody who wants to know what is wrong; a few at once."""
        if self._reader is None:
            nowhere = error(MASTER, FaultReason.GATE, "HLS_SERVER_INTERNAL_URL is empty: no stream can be looked at.")
            return Inspection(Stream.UNKNOWN, faults=(nowhere,))
        async with self._inspections:
            return await inspect(GateFiles(event, clock, self._reader))

    def files(self, event: Event, clock: Callable[[], datetime]) -> GateFiles | None:
        """Give the files of an event, as the gate serves them; None where no gate was named."""
        return GateFiles(event, clock, self._reader) if self._reader else None

    async def close(self) -> None:
        for look in self._under_way.values():
            look.cancel()
        if self._reader:
            await self._reader.close()

    def _remembered(self, event: Event, now: datetime, seconds: float = REMEMBERED_SECONDS) -> Observation | None:
        sight = self._sights.get(event.id)
        return sight if sight and abs(now.timestamp() - sight.looked_at) < seconds else None

    async def _look_once(self, reader: PlaylistReader, event: Event, now: datetime) -> None:
        """Begin a look, or join the one that is under way, and wait for it for a while."""
        look = self._under_way.get(event.id)
        if look is None:
            look = self._under_way[event.id] = asyncio.create_task(self._look(reader, event, now))
            look.add_done_callback(lambda _: self._under_way.pop(event.id))
        with anyio.move_on_after(self._look_seconds):
            await asyncio.shield(look)

    async def _look(self, reader: PlaylistReader, event: Event, now: datetime) -> None:
        before, is_failing = self._sights.get(event.id), False
        movement = before.movement if before else None
        try:
            with anyio.fail_after(max(self._look_seconds, _LONGEST_LOOK_SECONDS)):
                page, media = await _first_media(reader, event, now)
            movement = follow(movement, media, page.modified_at, now.timestamp())
            stream = stream_of(media, movement)
        except (TimeoutError, Failed, ReadFailed, NoPlaylist) as problem:
            stream = _failed(problem)
            is_failing = stream is Stream.UNKNOWN
        self._note(event, is_failing=is_failing)
        self._sights[event.id] = Observation(stream, now.timestamp(), movement)

    def _note(self, event: Event, *, is_failing: bool) -> None:
        """Log once that a stream cannot be seen, after two looks in a row, and once that it can be again."""
        failures = self._failures.pop(event.id, 0)
        if is_failing:
            self._failures[event.id] = failures + 1
            if failures + 1 == _SAID_AFTER_FAILURES:
                log.warning("stream_not_seen", event_id=event.id)
        elif failures >= _SAID_AFTER_FAILURES:
            log.info("stream_seen_again", event_id=event.id)


def _status(event: Event, sight: Observation | None, now: datetime) -> Status:
    return decide(event, sight.stream, sight.movement, now) if sight else decide(event, Stream.UNKNOWN, None, now)


async def _first_media(reader: PlaylistReader, event: Event, now: datetime) -> tuple[FetchedPlaylist, Media]:
    """Read the event's playlist and, when that is a master, its first variant. Raise Failed, ReadFailed, NoPlaylist."""
    page = await reader.read(event, now)
    playlist = await read(page.text)
    if isinstance(playlist, Media):
        return page, playlist
    first = await reader.read(event, now, resolve(event.id, page.name, playlist.renditions[0].uri).target)
    variant = await read(first.text)
    if isinstance(variant, Master):
        raise NoPlaylist
    return first, variant


def _failed(problem: Exception) -> Stream:
    is_absent = isinstance(problem, NoPlaylist) or (isinstance(problem, ReadFailed) and problem.status == _NOT_FOUND)
    return Stream.ABSENT if is_absent else Stream.UNKNOWN
