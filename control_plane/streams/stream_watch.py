"""Check the streams of running events repeatedly: a fault that is found twice in a row is reported as trouble.

Between checks it keeps the position of each rendition, and since when that has not changed, by a monotonic clock.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

import anyio

from control_plane.streams.faults import Fault, FaultReason, Severity, error
from control_plane.streams.inspection import MASTER, survey
from control_plane.streams.judging import InspectedRendition
from control_plane.streams.playlists import Position
from control_plane.streams.probe import Probe
from control_plane.tables import Event

_CERTAIN_AFTER: Final = 2  # checks in a row
_CONCURRENT_CHECKS: Final = 8
_CHECK_SECONDS: Final = 8.0
_RECORDINGS_EVERY: Final = 60.0
_STILL_TARGETS: Final = 3.0
_MIN_STILL_SECONDS: Final = 10.0


@dataclass(slots=True)
class _History:
    """The results of the checks of one event. `positions`: where each rendition is, and since when."""

    bad_checks: int = 0
    faults: tuple[Fault, ...] = ()
    skip_until: float = 0.0
    positions: dict[str, tuple[Position, float]] = field(default_factory=dict)


class StreamWatch:
    def __init__(self, probe: Probe) -> None:
        self._probe = probe
        self._histories: dict[str, _History] = {}

    async def check(self, events: Sequence[Event], now: datetime, seconds: float) -> dict[str, tuple[Fault, ...]]:
        """Check each stream, a few at once; return what is certainly wrong, by event id."""
        self._histories = {event.id: self._histories.get(event.id) or _History() for event in events}
        limit = anyio.CapacityLimiter(_CONCURRENT_CHECKS)

        async def check(event: Event) -> None:
            async with limit:
                await self._check(event, self._histories[event.id], now, seconds)

        async with anyio.create_task_group() as tasks:
            for event in events:
                tasks.start_soon(check, event)
        return {
            event_id: history.faults
            for event_id, history in self._histories.items()
            if history.bad_checks >= _CERTAIN_AFTER
        }

    async def _check(self, event: Event, history: _History, now: datetime, seconds: float) -> None:
        files = self._probe.files(event, lambda: now)
        if files is None or seconds < history.skip_until:
            return
        faults = [error(MASTER, FaultReason.UNREACHABLE, f"It could not be read within {_CHECK_SECONDS:.0f} s.")]
        with anyio.move_on_after(_CHECK_SECONDS):
            renditions, found = await survey(files)
            faults = [*found, *_stalled(renditions, history, seconds)]
            is_over = bool(renditions) and all(rendition.is_over for rendition in renditions if rendition.media)
            history.skip_until = seconds + _RECORDINGS_EVERY if is_over and not found else 0.0
        severe = tuple(fault for fault in faults if fault.severity is Severity.ERROR)
        if any(fault.reason is FaultReason.GATE for fault in severe):
            return  # this says nothing about the stream
        history.bad_checks, history.faults = (history.bad_checks + 1, severe) if severe else (0, ())


def _stalled(renditions: Sequence[InspectedRendition], history: _History, seconds: float) -> list[Fault]:
    """Find live renditions that have not moved for three target durations."""
    live = {rendition.file: rendition.media for rendition in renditions if rendition.is_live and rendition.media}
    previous = history.positions
    history.positions = {
        file: previous[file] if file in previous and previous[file][0] == media.position else (media.position, seconds)
        for file, media in live.items()
    }
    still = [
        file
        for file, media in live.items()
        if seconds - history.positions[file][1] > max(_STILL_TARGETS * media.target_seconds, _MIN_STILL_SECONDS)
    ]
    alone = "It no longer changes, while others do."
    sentence = alone if len(still) < len(live) else "It no longer changes: the stream is interrupted."
    return [error(file, FaultReason.STANDS_STILL, sentence) for file in still]
