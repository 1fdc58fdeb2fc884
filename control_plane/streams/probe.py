"""Probe the streams of events: each event at most once every five seconds, however many clients ask.

A probe never fails and never delays a caller for more than half a second: if it takes longer, it continues in the
background for later callers. A stream that could not be read is unknown, and then the clock decides.
"""

import asyncio
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import anyio
import structlog
from cachetools import LRUCache

from control_plane.clock import Clock
from control_plane.events import events
from control_plane.streams.addresses import resolve
from control_plane.streams.event_status import NOTHING_YET, Movement, Status, Stream, decide, follow, stream_of
from control_plane.streams.faults import Failed, FaultReason, error
from control_plane.streams.inspection import MASTER, Inspection, inspect
from control_plane.streams.playlist_reader import FetchedPlaylist, PlaylistReader, ReadFailed
from control_plane.streams.playlists import Master, Media, NoPlaylist, read
from control_plane.streams.stream_files import GateFiles
from control_plane.tables import Event

REMEMBERED_SECONDS: Final = 5.0
WAITING_SECONDS: Final = 40.0
WAIT_SECONDS: Final = 0.5
_MAX_PROBE_SECONDS: Final = 5.0
_STALE_SECONDS: Final = REMEMBERED_SECONDS + 2 * _MAX_PROBE_SECONDS
_EARLY: Final = timedelta(hours=1)  # streams are not probed earlier than this before the start
_MAX_EVENTS: Final = 10_000
_LOG_AFTER_FAILURES: Final = 2
_INSPECTIONS_AT_ONCE: Final = 4
_NOT_FOUND: Final = 404
log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Observation:
    """The result of the last probe of an event's stream, and when it began (seconds)."""

    stream: Stream
    observed_at: float
    movement: Movement | None = None


class Probe:
    """`reader` is None if no gate is configured: then every stream is unknown."""

    def __init__(self, reader: PlaylistReader | None, wait_seconds: float = WAIT_SECONDS) -> None:
        self._reader = reader
        self._look_seconds = wait_seconds
        self._observations: LRUCache[str, Observation] = LRUCache(_MAX_EVENTS)
        self._in_progress: dict[str, asyncio.Task[None]] = {}
        self._failures: LRUCache[str, int] = LRUCache(_MAX_EVENTS)
        self._inspections = anyio.CapacityLimiter(_INSPECTIONS_AT_ONCE)

    async def status(self, event: Event, now: datetime) -> Status:
        """Return the event's status, probing its stream if the last probe is too old."""
        if self._recent(event, now) is None and self._reader:
            await self._probe_once(self._reader, event, now)
        return self.cached_status(event, now)

    def cached_status(self, event: Event, now: datetime) -> Status:
        """Return the event's status without probing: by the last observation, else by the clock."""
        observation = self._recent(event, now, _STALE_SECONDS if event.id in self._in_progress else REMEMBERED_SECONDS)
        return _status(event, observation, now)

    def nothing_plays(self, event: Event, now: datetime) -> bool:
        """Return whether nothing can be watched yet, as far as is known without probing.

        Waiting pages ask every half minute, so there is an observation wherever one waits; a page asks before it plays.
        """
        observation = self._recent(event, now, WAITING_SECONDS)
        return _status(event, observation, now) in NOTHING_YET

    async def statuses(self, found: Collection[Event], now: datetime) -> dict[str, Status]:
        """Return the statuses of events by id. All that may be watched are probed concurrently."""
        async with anyio.create_task_group() as tasks:
            for event in found:
                if event.is_active and event.starts_at - _EARLY <= now < events.ticket_expiry(event):
                    tasks.start_soon(self.status, event, now)
        return {event.id: self.cached_status(event, now) for event in found}

    async def inspect(self, event: Event, clock: Clock) -> Inspection:
        """Inspect the whole stream to find out what is wrong; only a few inspections run at once."""
        if self._reader is None:
            no_gate = error(MASTER, FaultReason.GATE, "HLS_SERVER_INTERNAL_URL is empty: no stream can be read.")
            return Inspection(Stream.UNKNOWN, faults=(no_gate,))
        async with self._inspections:
            return await inspect(GateFiles(event, clock, self._reader))

    def files(self, event: Event, clock: Clock) -> GateFiles | None:
        """Return the files of an event as the gate serves them, or None if no gate is configured."""
        return GateFiles(event, clock, self._reader) if self._reader else None

    async def close(self) -> None:
        for task in self._in_progress.values():
            task.cancel()
        if self._reader:
            await self._reader.close()

    def _recent(self, event: Event, now: datetime, seconds: float = REMEMBERED_SECONDS) -> Observation | None:
        observation = self._observations.get(event.id)
        return observation if observation and abs(now.timestamp() - observation.observed_at) < seconds else None

    async def _probe_once(self, reader: PlaylistReader, event: Event, now: datetime) -> None:
        """Start a probe, or join the one in progress, and wait for it for a limited time."""
        task = self._in_progress.get(event.id)
        if task is None:
            task = self._in_progress[event.id] = asyncio.create_task(self._probe(reader, event, now))
            task.add_done_callback(lambda _: self._in_progress.pop(event.id))
        with anyio.move_on_after(self._look_seconds):
            await asyncio.shield(task)

    async def _probe(self, reader: PlaylistReader, event: Event, now: datetime) -> None:
        previous, is_failing = self._observations.get(event.id), False
        movement = previous.movement if previous else None
        try:
            with anyio.fail_after(max(self._look_seconds, _MAX_PROBE_SECONDS)):
                fetched, media = await _first_media(reader, event, now)
            movement = follow(movement, media, fetched.modified_at, now.timestamp())
            stream = stream_of(media, movement)
        except (TimeoutError, Failed, ReadFailed, NoPlaylist) as problem:
            stream = _stream_after(problem)
            is_failing = stream is Stream.UNKNOWN
        self._log_failures(event, is_failing=is_failing)
        self._observations[event.id] = Observation(stream, now.timestamp(), movement)

    def _log_failures(self, event: Event, *, is_failing: bool) -> None:
        """Log once that a stream cannot be read, after two failed probes in a row, and once that it can be again."""
        failures = self._failures.pop(event.id, 0)
        if is_failing:
            self._failures[event.id] = failures + 1
            if failures + 1 == _LOG_AFTER_FAILURES:
                log.warning("stream_not_seen", event_id=event.id)
        elif failures >= _LOG_AFTER_FAILURES:
            log.info("stream_seen_again", event_id=event.id)


def _status(event: Event, observation: Observation | None, now: datetime) -> Status:
    return (
        decide(event, observation.stream, observation.movement, now)
        if observation
        else decide(event, Stream.UNKNOWN, None, now)
    )


async def _first_media(reader: PlaylistReader, event: Event, now: datetime) -> tuple[FetchedPlaylist, Media]:
    """Read the event's playlist and, when that is a master, its first variant. Raise Failed, ReadFailed, NoPlaylist."""
    fetched = await reader.read(event, now)
    playlist = await read(fetched.text)
    if isinstance(playlist, Media):
        return fetched, playlist
    first = await reader.read(event, now, resolve(event.id, fetched.name, playlist.renditions[0].uri).target)
    variant = await read(first.text)
    if isinstance(variant, Master):
        raise NoPlaylist
    return first, variant


def _stream_after(problem: Exception) -> Stream:
    is_absent = isinstance(problem, NoPlaylist) or (isinstance(problem, ReadFailed) and problem.status == _NOT_FOUND)
    return Stream.ABSENT if is_absent else Stream.UNKNOWN
