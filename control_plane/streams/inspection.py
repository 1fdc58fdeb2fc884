"""Inspect a whole stream and report which file would not play and why.

It reads the master playlist, every rendition, and each one's init segments, keys, first and newest segment; a second
read shows whether a live stream moves. It is bounded: renditions, bytes per file, concurrent files, total time.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

import anyio

from control_plane.streams import judging, outline
from control_plane.streams.addresses import Address, resolve, shown
from control_plane.streams.containers import Container, contents_of
from control_plane.streams.event_status import Stream
from control_plane.streams.faults import Failed, Fault, FaultReason, Severity, error, warning
from control_plane.streams.judging import InspectedRendition, Part
from control_plane.streams.outline import MediaResource, RenditionEntry, RenditionKind
from control_plane.streams.playlist_reader import FetchedPlaylist
from control_plane.streams.playlists import Master, Media, NoPlaylist, read
from control_plane.streams.stream_files import Sample, StreamFiles

MASTER: Final = "stream.m3u8"
TOTAL_SECONDS: Final = 30.0
_OTHER_NAMES: Final = ("index.m3u8", "master.m3u8", "playlist.m3u8", "main.m3u8", "STREAM.M3U8")
_CONCURRENT_FILES: Final = 6
_SAMPLE_BYTES: Final = 64 * 1024
_SHORTEST_PAUSE, _LONGEST_PAUSE = 1.0, 16.0
_ROOTED: Final = "begins with a slash: TVs, VLC and AirPlay lose their token there. Use relative URLs."


@dataclass(frozen=True, slots=True)
class Inspection:
    """The result of an inspection."""

    stream: Stream
    renditions: tuple[InspectedRendition, ...] = ()
    faults: tuple[Fault, ...] = ()

    @property
    def problem(self) -> str | None:
        """Return in one sentence why a viewer cannot watch, or None if every viewer can."""
        first = next((fault for fault in self.faults if fault.severity is Severity.ERROR), None)
        return f"{first.file}: {first.sentence}" if first else None


Pause = Callable[[float], Awaitable[None]]


async def inspect(files: StreamFiles, pause: Pause = anyio.sleep) -> Inspection:
    """Check everything within `TOTAL_SECONDS`. What could not be checked is a fault, too."""
    check = _RenditionCheck(files)
    with anyio.move_on_after(TOTAL_SECONDS) as scope:
        await check.check_all(pause)
    if scope.cancelled_caught:
        sentence = f"The stream could not be checked completely within {TOTAL_SECONDS:.0f} s."
        check.faults.append(warning(MASTER, FaultReason.CUT_SHORT, sentence))
    order = sorted(dict.fromkeys(check.faults), key=lambda fault: fault.severity is Severity.WARNING)
    return Inspection(check.stream, tuple(check.renditions), tuple(order))


async def survey(files: StreamFiles) -> tuple[list[InspectedRendition], list[Fault]]:
    """Check once and briefly: the playlists, and the newest segment of each live rendition."""
    check = _RenditionCheck(files)
    await check.check_playlists()
    await check.check_newest()
    return check.renditions, check.faults


@dataclass(slots=True)
class _RenditionCheck:
    files: StreamFiles
    stream: Stream = Stream.UNKNOWN
    renditions: list[InspectedRendition] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    _limit: anyio.CapacityLimiter = field(default_factory=lambda: anyio.CapacityLimiter(_CONCURRENT_FILES))

    async def check_all(self, pause: Pause) -> None:
        await self.check_playlists()
        read_at = anyio.current_time()
        await self._run_all([self._check_files(rendition) for rendition in self.renditions])
        self.faults += [*judging.of_codecs(self.renditions), *judging.of_ends(self.renditions)]
        await self._read_again(pause, read_at)

    async def check_newest(self) -> None:
        """Read the beginning of each live rendition's newest segment."""
        live = [
            (rendition, rendition.outline.newest)
            for rendition in self.renditions
            if rendition.is_live and rendition.outline
        ]
        await self._run_all([self._check_file(rendition, Part.NEWEST, newest) for rendition, newest in live if newest])

    async def check_playlists(self) -> None:
        """Read all playlists and judge what they say."""
        try:
            fetched = await self.files.page(Address(MASTER, MASTER, is_rooted=False))
            playlist = await read(fetched.text)
        except NoPlaylist:
            self.stream = Stream.ABSENT
            self.faults.append(error(MASTER, FaultReason.NOT_A_PLAYLIST, "This is not an HLS playlist."))
            return
        except Failed as problem:
            self.stream = Stream.ABSENT if problem.reason is FaultReason.MISSING else Stream.UNKNOWN
            self.faults.append(error(MASTER, problem.reason, await self._hint(problem)))
            return
        if isinstance(playlist, Master):
            await self._read_all(await anyio.to_thread.run_sync(outline.entries_of, fetched.text))
        else:
            self.renditions = [InspectedRendition(RenditionEntry(MASTER, RenditionKind.VIDEO), MASTER)]
            await self._set_media(self.renditions[0], fetched, playlist)
        self.faults += [fault for rendition in self.renditions for fault in judging.of_outline(rendition)]
        is_live = any(rendition.is_live for rendition in self.renditions)
        is_over = not is_live and any(rendition.is_over for rendition in self.renditions)
        self.stream = Stream.COMPLETE if is_over else Stream.UNKNOWN if is_live else Stream.ABSENT

    async def _read_all(self, entries: Sequence[RenditionEntry]) -> None:
        if len(entries) > outline.MOST_ENTRIES:
            sentence = f"It has {len(entries)} renditions; only {outline.MOST_ENTRIES} were checked."
            self.faults.append(warning(MASTER, FaultReason.CUT_SHORT, sentence))
        self.renditions = [InspectedRendition(entry, shown(entry.uri)) for entry in entries[: outline.MOST_ENTRIES]]
        await self._run_all([self._read(rendition) for rendition in self.renditions])

    async def _set_media(self, rendition: InspectedRendition, fetched: FetchedPlaylist, media: Media) -> None:
        rendition.media = media
        rendition.outline = await anyio.to_thread.run_sync(outline.outline_of, fetched.text)
        changed_at = media.written_at if media.written_at is not None else fetched.modified_at
        rendition.latency = (
            None if changed_at is None or media.is_complete else self.files.clock().timestamp() - changed_at
        )

    async def _hint(self, problem: Failed) -> str:
        """Return the problem, with the name under which the encoder wrote its playlist if `stream.m3u8` is missing."""
        if problem.reason is FaultReason.MISSING:
            for name in _OTHER_NAMES:
                try:
                    await self.files.sample(Address(name, name, is_rooted=False), 0, 1)
                except Failed:
                    continue
                return f"{problem.sentence} {name} exists: make the encoder write {MASTER} instead."
        return problem.sentence

    async def _read(self, rendition: InspectedRendition) -> None:
        """Read a rendition's playlist."""
        try:
            address = self._address(MASTER, rendition.entry.uri, rendition)
            fetched = await self.files.page(address)
            await self._set_media(rendition, fetched, await _parse_media(fetched))
        except Failed as problem:
            sentence = f"{problem.sentence} {MASTER} lists it as {_description(rendition.entry)}."
            make_fault = warning if rendition.entry.kind is RenditionKind.IMAGES else error
            self.faults.append(make_fault(rendition.file, problem.reason, sentence))

    def _address(self, base: str, uri: str, rendition: InspectedRendition | None = None) -> Address:
        """Resolve an address; the first rooted one is a fault. Raise Failed."""
        address = resolve(self.files.event.id, base, uri)
        if rendition:
            rendition.file = address.name
        if address.is_rooted and not any(fault.reason is FaultReason.ROOTED for fault in self.faults):
            self.faults.append(warning(base, FaultReason.ROOTED, f"It refers to {shown(uri)}, which {_ROOTED}"))
        return address

    async def _check_files(self, rendition: InspectedRendition) -> None:
        listed = rendition.outline
        if listed is None:
            return
        is_same = listed.first == listed.newest
        parts = [(Part.INIT, resource) for resource in listed.maps]
        parts += [(Part.KEY, MediaResource(key.uri)) for key in listed.keys if key.uri and key.method == "AES-128"]
        parts += [(Part.FIRST, listed.first)] if listed.first and not is_same else []
        parts += [(Part.NEWEST, listed.newest)] if listed.newest else []
        parts += [(Part.PIECE, listed.newest_part)] if listed.newest_part else []
        for part, resource in parts:
            await self._check_file(rendition, part, resource)

    async def _check_file(self, rendition: InspectedRendition, part: Part, resource: MediaResource) -> None:
        file = shown(resource.uri)
        try:
            address = self._address(rendition.file, resource.uri)
            file = address.name
            sample = await self.files.sample(address, resource.at, min(resource.length or _SAMPLE_BYTES, _SAMPLE_BYTES))
        except Failed as problem:
            if part is Part.FIRST and rendition.is_live and problem.reason is FaultReason.MISSING:
                return  # it has left the window meanwhile
            self.faults.append(error(file, problem.reason, f"{problem.sentence} {rendition.file} lists it as {part}."))
            return
        self.faults += judging.of_size(file, part, sample.size, rendition.file)
        if part is not Part.KEY and sample.data:
            self._judge(rendition, part, resource, file, sample)

    def _judge(
        self, rendition: InspectedRendition, part: Part, resource: MediaResource, file: str, sample: Sample
    ) -> None:
        contents = contents_of(sample.data)
        self.faults += judging.of_contents(file, contents, is_encrypted=resource.is_encrypted)
        has_codecs = contents.codecs and not resource.is_encrypted
        if has_codecs and contents.container is not Container.WEBVTT:
            rendition.codecs = tuple(dict.fromkeys((*rendition.codecs, *contents.codecs)))
        size = resource.length or sample.size
        if part is Part.NEWEST and size and resource.seconds:
            rendition.bit_rate = round(size * 8 / resource.seconds)

    async def _read_again(self, pause: Pause, read_at: float) -> None:
        """Read the playlists of live renditions again, long enough after `read_at`: a stream that moves is live."""
        live = [rendition for rendition in self.renditions if rendition.is_live]
        if not live:
            return
        targets = [rendition.media.target_seconds for rendition in live if rendition.media]
        wanted = max(min(max(targets) * judging.SURE_TARGETS + 0.1, _LONGEST_PAUSE), _SHORTEST_PAUSE)
        await pause(max(wanted - (anyio.current_time() - read_at), 0))
        seconds = max(wanted, anyio.current_time() - read_at)
        later = [InspectedRendition(rendition.entry, rendition.file) for rendition in live]
        await self._run_all([self._read(rendition) for rendition in later])
        self.faults += judging.of_movement(live, later, seconds)
        if any(judging.has_moved(before, after) for before, after in zip(live, later, strict=True)):
            self.stream = Stream.MOVING
        elif all(judging.is_long_enough(rendition, seconds) for rendition in live):
            keeps_all = all(rendition.media and rendition.media.keeps_everything for rendition in live)
            self.stream = Stream.PAUSED if keeps_all else Stream.STOPPED

    async def _run_all(self, checks: Sequence[Awaitable[None]]) -> None:
        async def run(check: Awaitable[None]) -> None:
            async with self._limit:
                await check

        async with anyio.create_task_group() as tasks:
            for check in checks:
                tasks.start_soon(run, check)


def _description(entry: RenditionEntry) -> str:
    what = {
        RenditionKind.VIDEO: "a variant",
        RenditionKind.AUDIO: "audio",
        RenditionKind.SUBTITLES: "subtitles",
        RenditionKind.IMAGES: "images",
    }[entry.kind]
    detail = entry.resolution or entry.name
    return f"{what} ({detail})" if detail else what


async def _parse_media(fetched: FetchedPlaylist) -> Media:
    """Parse a playlist of segments. Raise Failed."""
    try:
        playlist = await read(fetched.text)
    except NoPlaylist:
        playlist = None
    if isinstance(playlist, Media):
        return playlist
    raise Failed(FaultReason.NOT_A_PLAYLIST, "This is not a media playlist.")
