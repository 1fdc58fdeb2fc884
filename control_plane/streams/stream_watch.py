"""Watches the streams of events that are on, look by look: what is wrong twice in a row is trouble.

What is remembered between looks is where each rendition stood and since when, by a clock that never goes back.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

import anyio

from control_plane.models import Event
from control_plane.streams.faults import Fault, FaultReason, Severity, error
from control_plane.streams.inspection import MASTER, survey
from control_plane.streams.judging import InspectedRendition
from control_plane.streams.playlists import Position
from control_plane.streams.probe import Probe

_CERTAIN_AFTER: Final = 2  # looks in a row
_AT_ONCE: Final = 8
_LOOK_SECONDS: Final = 8.0
_RECORDINGS_EVERY: Final = 60.0
_STILL_TARGETS: Final = 3.0
_SHORTEST_STILL: Final = 10.0


@dataclass(slots=True)
class _Past:
    """What the looks at one event told so far. `stood` says of each rendition where it stands, and since when."""

    bad_looks: int = 0
    faults: tuple[Fault, ...] = ()
    rests_until: float = 0.0
    stood: dict[str, tuple[Position, float]] = field(default_factory=dict)


class StreamWatch:
    def __init__(self, probe: Probe) -> None:
        self._probe = probe
        self._past: dict[str, _Past] = {}

    async def look(self, events: Sequence[Event], now: datetime, seconds: float) -> dict[str, tuple[Fault, ...]]:
        """Look at each stream, a few at once; give what is certainly wrong, by event id."""
        self._past = {event.id: self._past.get(event.id) or _Past() for event in events}
        limit = anyio.CapacityLimiter(_AT_ONCE)

        async def look(event: Event) -> None:
            async with limit:
                await self._look(event, self._past[event.id], now, seconds)

        async with anyio.create_task_group() as tasks:
            for event in events:
                tasks.start_soon(look, event)
        return {event_id: past.faults for event_id, past in self._past.items() if past.bad_looks >= _CERTAIN_AFTER}

    async def _look(self, event: Event, past: _Past, now: datetime, seconds: float) -> None:
        files = self._probe.files(event, lambda: now)
        if files is None or seconds < past.rests_until:
            return
        faults = [error(MASTER, FaultReason.UNREACHABLE, f"It could not be read within {_LOOK_SECONDS:.0f} s.")]
        with anyio.move_on_after(_LOOK_SECONDS):
            renditions, found = await survey(files)
            faults = [*found, *_standing(renditions, past, seconds)]
            is_over = bool(renditions) and all(seen.is_over for seen in renditions if seen.media)
            past.rests_until = seconds + _RECORDINGS_EVERY if is_over and not found else 0.0
        severe = tuple(fault for fault in faults if fault.severity is Severity.ERROR)
        if any(fault.reason is FaultReason.GATE for fault in severe):
            return  # it says nothing about the stream
        past.bad_looks, past.faults = (past.bad_looks + 1, severe) if severe else (0, ())


def _standing(renditions: Sequence[InspectedRendition], past: _Past, seconds: float) -> list[Fault]:
    """Find live renditions that have not moved for three target durations."""
    live = {seen.file: seen.media for seen in renditions if seen.is_live and seen.media}
    before = past.stood
    past.stood = {
        file: before[file] if file in before and before[file][0] == media.position else (media.position, seconds)
        for file, media in live.items()
    }
    still = [
        file
        for file, media in live.items()
        if seconds - past.stood[file][1] > max(_STILL_TARGETS * media.target_seconds, _SHORTEST_STILL)
    ]
    alone = "It does not change any more, while others do."
    sentence = alone if len(still) < len(live) else "It does not change any more: the stream is interrupted."
    return [error(file, FaultReason.STANDS_STILL, sentence) for file in still]
