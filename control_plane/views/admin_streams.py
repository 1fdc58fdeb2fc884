"""The admin API's test of a stream: what the gate would show, or why not."""

from typing import Final, Literal

from starlette.responses import Response

from control_plane.auditing.actors import Permission
from control_plane.scheduling import events
from control_plane.schemas.streams import RenditionView, StreamTestView
from control_plane.streaming.event_status import Stream
from control_plane.streaming.probe import Findings
from control_plane.views import answers
from control_plane.views.answers import Data
from control_plane.views.endpoints import Call, endpoint

_STATES: Final[dict[Stream, Literal["live", "recording", "stopped", "missing", "unknown"]]] = {
    Stream.MOVING: "live",
    Stream.COMPLETE: "recording",
    Stream.STOPPED: "stopped",
    Stream.PAUSED: "stopped",
    Stream.ABSENT: "missing",
    Stream.UNKNOWN: "unknown",
}


@endpoint("POST /events/{event_id:uuid}/test-stream", needs=Permission.READ, answers={200: Data[StreamTestView]})
async def test_stream(call: Call) -> Response:
    """Look at an event's stream through the gate, as a viewer would."""
    async with call.app.database.read() as db:
        event = await events.find(db, call.id("event_id"))
    return answers.data(findings_view(await call.app.probe.examine(event, call.now)))


def findings_view(found: Findings) -> StreamTestView:
    return StreamTestView(
        is_reachable=found.target_seconds is not None,
        state=_STATES[found.stream],
        renditions=[
            RenditionView(resolution=one.resolution, bandwidth=one.bandwidth, codecs=one.codecs)
            for one in found.renditions
        ],
        target_duration=found.target_seconds,
        segments=found.segments,
        problem=found.problem,
    )


ENDPOINTS = (test_stream,)
