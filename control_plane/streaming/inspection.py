"""Inspects a whole stream and tells which file would not play and why.

It reads the master playlist, every rendition, and of each its init segments, keys, first and newest segment; what a
live stream does shows when one looks twice. It is bounded: renditions, bytes of each file, files at once, total time.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

import anyio

from control_plane.streaming import judging, outline
from control_plane.streaming.addresses import Address, resolve, shown
from control_plane.streaming.containers import Container, contents_of
from control_plane.streaming.event_status import Stream
from control_plane.streaming.faults import Failed, Fault, Reason, Severity, error, warning
from control_plane.streaming.judging import Part, Seen
from control_plane.streaming.outline import Entry, Kind, Piece
from control_plane.streaming.playlist_reader import Page
from control_plane.streaming.playlists import Master, Media, NoPlaylist, read
from control_plane.streaming.stream_files import Sample, StreamFiles

MASTER: Final = "stream.m3u8"
TOTAL_SECONDS: Final = 30.0
_OTHER_NAMES: Final = ("index.m3u8", "master.m3u8", "playlist.m3u8", "main.m3u8", "STREAM.M3U8")
_FILES_AT_ONCE: Final = 6
_SAMPLE_BYTES: Final = 64 * 1024
_SHORTEST_PAUSE, _LONGEST_PAUSE = 1.0, 16.0
_ROOTED: Final = "begins with a slash: TVs, VLC and AirPlay lose their token there. Write relative addresses."


@dataclass(frozen=True, slots=True)
class Inspection:
    """What was found."""

    stream: Stream
    renditions: tuple[Seen, ...] = ()
    faults: tuple[Fault, ...] = ()

    @property
    def problem(self) -> str | None:
        """Say in one sentence why somebody cannot watch; None when everybody can."""
        first = next((fault for fault in self.faults if fault.severity is Severity.ERROR), None)
        return f"{first.file}: {first.sentence}" if first else None


Pause = Callable[[float], Awaitable[None]]


async def inspect(files: StreamFiles, pause: Pause = anyio.sleep) -> Inspection:
    """Look at everything, within `TOTAL_SECONDS`. What could not be looked at is a fault, too."""
    look = _Look(files)
    with anyio.move_on_after(TOTAL_SECONDS) as within:
        await look.at_everything(pause)
    if within.cancelled_caught:
        sentence = f"Not all of the stream could be looked at within {TOTAL_SECONDS:.0f} s."
        look.faults.append(warning(MASTER, Reason.CUT_SHORT, sentence))
    order = sorted(dict.fromkeys(look.faults), key=lambda fault: fault.severity is Severity.WARNING)
    return Inspection(look.stream, tuple(look.renditions), tuple(order))


async def survey(files: StreamFiles) -> tuple[list[Seen], list[Fault]]:
    """Look once and briefly: at the playlists, and of what is live at the newest segment."""
    look = _Look(files)
    await look.at_playlists()
    await look.at_newest()
    return look.renditions, look.faults


@dataclass(slots=True)
class _Look:
    files: StreamFiles
    stream: Stream = Stream.UNKNOWN
    renditions: list[Seen] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    _limit: anyio.CapacityLimiter = field(default_factory=lambda: anyio.CapacityLimiter(_FILES_AT_ONCE))

    async def at_everything(self, pause: Pause) -> None:
        await self.at_playlists()
        read_at = anyio.current_time()
        await self._all([self._look_at_files(seen) for seen in self.renditions])
        self.faults += [*judging.of_codecs(self.renditions), *judging.of_ends(self.renditions)]
        await self._look_again(pause, read_at)

    async def at_newest(self) -> None:
        """Read the beginning of each live rendition's newest segment."""
        live = [(seen, seen.outline.newest) for seen in self.renditions if seen.is_live and seen.outline]
        await self._all([self._look_at(seen, Part.NEWEST, newest) for seen, newest in live if newest])

    async def at_playlists(self) -> None:
        """Read all playlists, and judge what they say."""
        try:
            page = await self.files.page(Address(MASTER, MASTER, is_rooted=False))
            playlist = await read(page.text)
        except NoPlaylist:
            self.stream = Stream.ABSENT
            self.faults.append(error(MASTER, Reason.NOT_A_PLAYLIST, "What is there is no HLS playlist."))
            return
        except Failed as problem:
            self.stream = Stream.ABSENT if problem.reason is Reason.MISSING else Stream.UNKNOWN
            self.faults.append(error(MASTER, problem.reason, await self._hint(problem)))
            return
        if isinstance(playlist, Master):
            await self._read_all(await anyio.to_thread.run_sync(outline.entries_of, page.text))
        else:
            self.renditions = [Seen(Entry(MASTER, Kind.VIDEO), MASTER)]
            await self._take(self.renditions[0], page, playlist)
        self.faults += [fault for seen in self.renditions for fault in judging.of_outline(seen)]
        is_live = any(seen.is_live for seen in self.renditions)
        is_over = not is_live and any(seen.is_over for seen in self.renditions)
        self.stream = Stream.COMPLETE if is_over else Stream.UNKNOWN if is_live else Stream.ABSENT

    async def _read_all(self, entries: Sequence[Entry]) -> None:
        if len(entries) > outline.MOST_ENTRIES:
            sentence = f"It has {len(entries)} renditions; {outline.MOST_ENTRIES} were looked at."
            self.faults.append(warning(MASTER, Reason.CUT_SHORT, sentence))
        self.renditions = [Seen(entry, shown(entry.uri)) for entry in entries[: outline.MOST_ENTRIES]]
        await self._all([self._read(seen) for seen in self.renditions])

    async def _take(self, seen: Seen, page: Page, media: Media) -> None:
        seen.media = media
        seen.outline = await anyio.to_thread.run_sync(outline.outline_of, page.text)
        since = media.written_at if media.written_at is not None else page.modified_at
        seen.latency = None if since is None or media.is_complete else self.files.clock().timestamp() - since

    async def _hint(self, problem: Failed) -> str:
        """Tell which other name the encoder may have given its playlist, where ours is missing."""
        if problem.reason is Reason.MISSING:
            for name in _OTHER_NAMES:
                try:
                    await self.files.sample(Address(name, name, is_rooted=False), 0, 1)
                except Failed:
                    continue
                return f"{problem.sentence} {name} is there: let the encoder write {MASTER} instead."
        return problem.sentence

    async def _read(self, seen: Seen) -> None:
        """Read a rendition's playlist."""
        try:
            address = self._address(MASTER, seen.entry.uri, seen)
            page = await self.files.page(address)
            await self._take(seen, page, await _segments(page))
        except Failed as problem:
            told = f"{problem.sentence} {MASTER} names it as {_spoken(seen.entry)}."
            severe = warning if seen.entry.kind is Kind.IMAGES else error
            self.faults.append(severe(seen.file, problem.reason, told))

    def _address(self, base: str, uri: str, seen: Seen | None = None) -> Address:
        """Resolve an address; the first one that is rooted is a fault. Raise Failed."""
        address = resolve(self.files.event.id, base, uri)
        if seen:
            seen.file = address.name
        if address.is_rooted and not any(fault.reason is Reason.ROOTED for fault in self.faults):
            self.faults.append(warning(base, Reason.ROOTED, f"It names {shown(uri)}, which {_ROOTED}"))
        return address

    async def _look_at_files(self, seen: Seen) -> None:
        told = seen.outline
        if told is None:
            return
        same = told.first == told.newest
        parts = [(Part.INIT, piece) for piece in told.maps]
        parts += [(Part.KEY, Piece(key.uri)) for key in told.keys if key.uri and key.method == "AES-128"]
        parts += [(Part.FIRST, told.first)] if told.first and not same else []
        parts += [(Part.NEWEST, told.newest)] if told.newest else []
        parts += [(Part.PIECE, told.newest_part)] if told.newest_part else []
        for part, piece in parts:
            await self._look_at(seen, part, piece)

    async def _look_at(self, seen: Seen, part: Part, piece: Piece) -> None:
        file = shown(piece.uri)
        try:
            address = self._address(seen.file, piece.uri)
            file = address.name
            sample = await self.files.sample(address, piece.at, min(piece.length or _SAMPLE_BYTES, _SAMPLE_BYTES))
        except Failed as problem:
            if part is Part.FIRST and seen.is_live and problem.reason is Reason.MISSING:
                return  # it has left the window since
            self.faults.append(error(file, problem.reason, f"{problem.sentence} {seen.file} names it as {part}."))
            return
        self.faults += judging.of_size(file, part, sample.size, seen.file)
        if part is not Part.KEY and sample.data:
            self._judge(seen, part, piece, file, sample)

    def _judge(self, seen: Seen, part: Part, piece: Piece, file: str, sample: Sample) -> None:
        contents = contents_of(sample.data)
        self.faults += judging.of_contents(file, contents, is_encrypted=piece.is_encrypted)
        has_codecs = contents.codecs and not piece.is_encrypted
        if has_codecs and contents.container is not Container.WEBVTT:
            seen.codecs = tuple(dict.fromkeys((*seen.codecs, *contents.codecs)))
        size = piece.length or sample.size
        if part is Part.NEWEST and size and piece.seconds:
            seen.bit_rate = round(size * 8 / piece.seconds)

    async def _look_again(self, pause: Pause, read_at: float) -> None:
        """Read the playlists of what is live once more, long enough after they were read: what moves is live."""
        live = [seen for seen in self.renditions if seen.is_live]
        if not live:
            return
        targets = [seen.media.target_seconds for seen in live if seen.media]
        wanted = max(min(max(targets) * judging.SURE_TARGETS + 0.1, _LONGEST_PAUSE), _SHORTEST_PAUSE)
        await pause(max(wanted - (anyio.current_time() - read_at), 0))
        seconds = max(wanted, anyio.current_time() - read_at)
        later = [Seen(seen.entry, seen.file) for seen in live]
        await self._all([self._read(seen) for seen in later])
        self.faults += judging.of_movement(live, later, seconds)
        if any(judging.has_moved(before, after) for before, after in zip(live, later, strict=True)):
            self.stream = Stream.MOVING
        elif all(judging.is_long_enough(seen, seconds) for seen in live):
            keeps_all = all(seen.media and seen.media.keeps_everything for seen in live)
            self.stream = Stream.PAUSED if keeps_all else Stream.STOPPED

    async def _all(self, looks: Sequence[Awaitable[None]]) -> None:
        async def one(look: Awaitable[None]) -> None:
            async with self._limit:
                await look

        async with anyio.create_task_group() as tasks:
            for look in looks:
                tasks.start_soon(one, look)


def _spoken(entry: Entry) -> str:
    what = {Kind.VIDEO: "a variant", Kind.AUDIO: "audio", Kind.SUBTITLES: "subtitles", Kind.IMAGES: "images"}[
        entry.kind
    ]
    detail = entry.resolution or entry.name
    return f"{what} ({detail})" if detail else what


async def _segments(page: Page) -> Media:
    """Read a playlist of segments. Raise Failed."""
    try:
        playlist = await read(page.text)
    except NoPlaylist:
        playlist = None
    if isinstance(playlist, Media):
        return playlist
    raise Failed(Reason.NOT_A_PLAYLIST, "What is there is no playlist of segments.")
