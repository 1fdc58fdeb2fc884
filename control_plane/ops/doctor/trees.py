"""Inspect the whole streams of open events: through the gate if it is running, otherwise in their folders."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Final

import anyio
from anyio import to_thread

from authz_sidecar.contract.key_source import KeySource
from authz_sidecar.contract.keys import KeyRing, KeysRefused
from control_plane.clock import utc_now
from control_plane.ops.doctor.finding import Finding, Installation, error, ok, warning
from control_plane.ops.doctor.machine import health
from control_plane.ops.doctor.streams import about
from control_plane.ops.home import keys_file, public_port, stream_root
from control_plane.streams.faults import Fault, FaultReason, Severity
from control_plane.streams.inspection import Inspection, inspect
from control_plane.streams.playlist_reader import PlaylistReader
from control_plane.streams.stream_files import FolderFiles, GateFiles, StreamFiles
from control_plane.tables import Event

_MAX_CONCURRENT: Final = 4
_MAX_FAULTS: Final = 20  # per event
_RENAME: Final = "Make the encoder use other names; streams/README.md lists those that are served."
_FIXES: Final = {
    FaultReason.NAME: _RENAME,
    FaultReason.ELSEWHERE: "Make the encoder write relative URLs, and put the files into the event's folder.",
    FaultReason.OUTSIDE: "Put the files into the event's folder, or below it.",
    FaultReason.ROOTED: "Make the encoder write relative URLs.",
    FaultReason.CODEC: "Encode with H.264 and AAC, or add a rendition that uses them.",
    FaultReason.ENCRYPTION: "Encrypt with AES-128, or not at all.",
    FaultReason.KEY: "Write the key file: 16 bytes, in the event's folder.",
    FaultReason.NO_END: "Make the encoder end its playlists with #EXT-X-ENDLIST.",
    FaultReason.TOO_LONG: "Set the segment duration to a multiple of the keyframe interval.",
    FaultReason.STANDS_STILL: "Look at the encoder's log for this rendition.",
    FaultReason.TOO_OLD: "Start the encoder, or end the playlist with #EXT-X-ENDLIST.",
    FaultReason.UNREACHABLE: "Look at the origin, and at the gate's log.",
    FaultReason.REFUSED: "Check the file's permissions, and whether the event is active.",
}
_DEFAULT_FIX: Final = "Look at what the encoder writes, and where."
FilesOf = Callable[[Event], StreamFiles]


async def examine(installation: Installation, events: Sequence[Event], now: datetime) -> list[Finding]:
    """Inspect each stream, a few events at a time."""
    found: dict[str, list[Finding]] = {}
    limit = anyio.CapacityLimiter(_MAX_CONCURRENT)

    async def inspect_event(event: Event, files: FilesOf) -> None:
        async with limit:
            found[event.id] = _findings(event, await inspect(files(event)), now)

    async with _source(installation) as files, anyio.create_task_group() as tasks:
        for event in events if files else ():
            if files:
                tasks.start_soon(inspect_event, event, files)
    return [finding for event in events for finding in found.get(event.id, ())]


@asynccontextmanager
async def _source(installation: Installation) -> AsyncIterator[FilesOf | None]:
    """Yield a function that opens an event's files, through the gate or in the folder; None if neither is available."""
    answer = await to_thread.run_sync(health, installation)
    if answer and "revocationCacheSize" in answer and (keys := _keys(installation)):
        url = (
            installation.environment.get("HLS_SERVER_INTERNAL_URL")
            or f"http://127.0.0.1:{public_port(installation.environment)}"
        )
        reader = PlaylistReader(url, keys)
        try:
            yield lambda event: GateFiles(event, utc_now, reader)
        finally:
            await reader.close()
    elif root := stream_root(installation.home, installation.environment):
        yield lambda event: FolderFiles(event, utc_now, root / event.id)
    else:
        yield None


def _keys(installation: Installation) -> KeySource | None:
    file = keys_file(installation.home, installation.environment)
    try:
        return KeySource.open(file, installation.environment.get("PLAYBACK_SIGNING_SECRET"), KeyRing.for_signing)
    except KeysRefused:
        return None  # reported with the settings


def _findings(event: Event, found: Inspection, now: datetime) -> list[Finding]:
    subject = about(event)
    if not found.faults:
        return [ok(subject, f"The whole stream can be played: {_summary(found)}.")]
    shown = [_finding(subject, fault, has_begun=event.starts_at <= now) for fault in found.faults[:_MAX_FAULTS]]
    if more := len(found.faults) - len(shown):
        shown.append(warning(subject, f"{more} more faults were found.", _DEFAULT_FIX))
    return shown


def _finding(subject: str, fault: Fault, *, has_begun: bool) -> Finding:
    level = error if fault.severity is Severity.ERROR and has_begun else warning
    return level(subject, f"{fault.file}: {fault.sentence}", _FIXES.get(fault.reason, _DEFAULT_FIX))


def _summary(found: Inspection) -> str:
    formats = dict.fromkeys(codec.name for seen in found.renditions for codec in seen.all_codecs)
    count = len(found.renditions)
    renditions = "1 rendition" if count == 1 else f"{count} renditions"
    return ", ".join([found.stream.value, renditions, *formats])
