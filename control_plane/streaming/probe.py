"""Looks at the streams of events: one look every five seconds an event at most, however many ask.

It never fails and never holds anybody up for longer than half a second: a look that takes longer goes on without them,
for the next ones to ask. What could not be seen is unknown, and then the clock decides.
"""

import asyncio
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import anyio
import structlog
from cachetools import LRUCache

from control_plane.storage.models import Event
from control_plane.streaming.event_status import Movement, Status, Stream, decide, follow, stream_of
from control_plane.streaming.playlist_reader import Page, PlaylistReader, ReadFailed, name_of
from control_plane.streaming.playlists import Master, Media, NoPlaylist, Rendition, read

REMEMBERED_SECONDS: Final = 5.0
LOOK_SECONDS: Final = 0.5
_LONGEST_LOOK_SECONDS: Final = 5.0
_STALE_SECONDS: Final = REMEMBERED_SECONDS + 2 * _LONGEST_LOOK_SECONDS
_EXAMINE_SECONDS: Final = 5.0
_MOST_EVENTS: Final = 10_000
_NOT_FOUND: Final = 404
log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Sight:
    """What the last look at an event's stream saw, and when it began (seconds)."""

    stream: Stream
    looked_at: float
    movement: Movement | None = None


@dataclass(frozen=True, slots=True)
class Findings:
    """What a thorough look found. `problem` says why nobody can watch; it is None when somebody could."""

    stream: Stream
    renditions: tuple[Rendition, ...] = ()
    target_seconds: float | None = None
    segments: int | None = None
    problem: str | None = None


class Probe:
    """`reader` is None where no gate was named: then every stream is unknown."""

    def __init__(self, reader: PlaylistReader | None, look_seconds: float = LOOK_SECONDS) -> None:
        self._reader = reader
        self._look_seconds = look_seconds
        self._sights: LRUCache[str, Sight] = LRUCache(_MOST_EVENTS)
        self._under_way: dict[str, asyncio.Task[None]] = {}
        self._is_failing = False

    async def status(self, event: Event, now: datetime) -> Status:
        """Tell how the event stands, looking at its stream if the last look is too old."""
        if self._remembered(event, now) is None and self._reader:
            await self._look_once(self._reader, event, now)
        return self.remembered_status(event, now)

    def remembered_status(self, event: Event, now: datetime) -> Status:
        """Tell how the event stands without looking: by what is remembered, else by the clock."""
        sight = self._remembered(event, now, _STALE_SECONDS if event.id in self._under_way else REMEMBERED_SECONDS)
        return decide(event, sight.stream, sight.movement, now) if sight else decide(event, Stream.UNKNOWN, None, now)

    async def examine(self, event: Event, now: datetime) -> Findings:
        """Look thoroughly, for somebody who wants to know what is wrong."""
        if self._reader is None:
            return Findings(Stream.UNKNOWN, problem="HLS_SERVER_INTERNAL_URL is empty: no stream can be looked at.")
        try:
            with anyio.fail_after(_EXAMINE_SECONDS):
                return await self._examine(self._reader, event, now)
        except TimeoutError:
            return Findings(Stream.UNKNOWN, problem=f"The gate gave no answer within {_EXAMINE_SECONDS:g} seconds.")
        except NoPlaylist:
            return Findings(Stream.ABSENT, problem="What is there is no HLS playlist.")
        except ReadFailed as error:
            return Findings(_failed(error), problem=_explained(error, event))

    async def close(self) -> None:
        for look in self._under_way.values():
            look.cancel()
        if self._reader:
            await self._reader.close()

    def _remembered(self, event: Event, now: datetime, seconds: float = REMEMBERED_SECONDS) -> Sight | None:
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
                page, media, _ = await _first_media(reader, event, now)
            movement = follow(movement, media, page.modified_at, now.timestamp())
            stream = stream_of(media, movement)
        except (TimeoutError, ReadFailed, NoPlaylist) as error:
            stream = _failed(error)
            is_failing = stream is Stream.UNKNOWN
        self._note(is_failing=is_failing)
        self._sights[event.id] = Sight(stream, now.timestamp(), movement)

    async def _examine(self, reader: PlaylistReader, event: Event, now: datetime) -> Findings:
        page, media, renditions = await _first_media(reader, event, now)
        before = self._sights.get(event.id)
        movement = follow(before.movement if before else None, media, page.modified_at, now.timestamp())
        sight = self._sights[event.id] = Sight(stream_of(media, movement), now.timestamp(), movement)
        problem = await _missing_segment(reader, event, page, media, now)
        return Findings(sight.stream, renditions, media.target_seconds, media.segments, problem)

    def _note(self, *, is_failing: bool) -> None:
        """Log once that streams cannot be seen, and once that they can be again."""
        if is_failing != self._is_failing:
            log.warning("streams_not_seen" if is_failing else "streams_seen_again")
        self._is_failing = is_failing


async def _first_media(
    reader: PlaylistReader, event: Event, now: datetime
) -> tuple[Page, Media, tuple[Rendition, ...]]:
    """Read the event's playlist and, when that is a master, its first variant. Raise ReadFailed or NoPlaylist."""
    page = await reader.read(event, now)
    playlist = await read(page.text)
    if isinstance(playlist, Media):
        return page, playlist, ()
    first = await reader.read(event, now, name_of(event.id, page, playlist.renditions[0].uri))
    variant = await read(first.text)
    if isinstance(variant, Master):
        raise NoPlaylist
    return first, variant, playlist.renditions


async def _missing_segment(reader: PlaylistReader, event: Event, page: Page, media: Media, now: datetime) -> str | None:
    """Say what is wrong with the newest segment; None when it is there."""
    if media.newest is None:
        return "The playlist lists no segment yet."
    try:
        await reader.check(event, now, name_of(event.id, page, media.newest))
    except ReadFailed as error:
        return f"The playlist is there, its newest segment could not be read. {error}"
    return None


def _failed(error: Exception) -> Stream:
    is_absent = isinstance(error, NoPlaylist) or (isinstance(error, ReadFailed) and error.status == _NOT_FOUND)
    return Stream.ABSENT if is_absent else Stream.UNKNOWN


def _explained(error: ReadFailed, event: Event) -> str:
    if error.status == _NOT_FOUND:
        return "There is no playlist yet: stream.m3u8, or the first rendition that it names, was not found."
    if not event.is_active:
        return "The event is deactivated: the gate shows its stream to nobody."
    return {
        502: "The origin of this stream cannot be reached.",
        503: "The gate is not ready: its sidecar is down or has not heard of the control plane yet.",
        504: "The origin of this stream does not answer in time.",
    }.get(error.status or 0, str(error))
