"""The admin API's looks at a stream: a test, what the gate would show or why not, and a preview for an organiser."""

from typing import Final, Literal

from starlette.responses import Response

from authz_sidecar.contract.playback_token import mint
from control_plane.access.actors import Permission
from control_plane.access.audited_change import Action
from control_plane.clock import utc_now
from control_plane.errors import Conflict
from control_plane.events import events
from control_plane.schemas.streams import FaultView, PreviewView, RenditionView, StreamTestView
from control_plane.streams import preview
from control_plane.streams.event_status import Stream
from control_plane.streams.inspection import Inspection
from control_plane.streams.judging import InspectedRendition
from control_plane.web import answers
from control_plane.web.answers import Data
from control_plane.web.endpoints import Call, endpoint

_STATES: Final[dict[Stream, Literal["live", "recording", "stopped", "missing", "unknown"]]] = {
    Stream.MOVING: "live",
    Stream.COMPLETE: "recording",
    Stream.STOPPED: "stopped",
    Stream.PAUSED: "stopped",
    Stream.ABSENT: "missing",
    Stream.UNKNOWN: "unknown",
}
STREAM_STATES: Final = {
    "live": "Live",
    "recording": "A recording",
    "stopped": "Live, but it stands still",
    "missing": "No stream yet",
    "unknown": "Not known: it could not be read, or not watched for long enough",
}


@endpoint("POST /events/{event_id:uuid}/test-stream", needs=Permission.READ, answers={200: Data[StreamTestView]})
async def test_stream(call: Call) -> Response:
    """Look at all of an event's stream through the gate, as a viewer would. It takes some seconds for a live stream."""
    async with call.app.database.read() as db:
        event = await events.find(db, call.id("event_id"))
    return answers.data(stream_test_view(await call.app.probe.inspect(event, utc_now)))


@endpoint(
    "POST /events/{event_id:uuid}/preview",
    needs=Permission.EVENTS,
    answers={200: Data[PreviewView]},
    refuses=(Conflict,),
)
async def preview_stream(call: Call) -> Response:
    """Give a token that plays the stream for five minutes, also while the doors are closed."""
    async with call.act(Action.EVENT_PREVIEW, call.id("event_id")) as deed:
        deed.event_id = deed.subject
        event = await events.find(deed.db, call.id("event_id"))
        claims = preview.claims_of(event, call.now)
    given = PreviewView(
        playback_token=mint(claims, call.app.ring),
        token_expires_in=claims.exp - int(call.now.timestamp()),
        stream_url=f"{call.app.settings.hls_server_base_url}{claims.sp}stream.m3u8",
    )
    return answers.data(given)


def stream_test_view(found: Inspection) -> StreamTestView:
    first = next((seen.media for seen in found.renditions if seen.media), None)
    return StreamTestView(
        is_reachable=first is not None,
        state=_STATES[found.stream],
        renditions=[_rendition_view(seen) for seen in found.renditions],
        target_duration=first.target_seconds if first else None,
        segments=first.segments if first else None,
        problem=found.problem,
        faults=[
            FaultView(file=fault.file, severity=fault.severity, reason=fault.reason, sentence=fault.sentence)
            for fault in found.faults
        ],
    )


def _rendition_view(seen: InspectedRendition) -> RenditionView:
    return RenditionView(
        file=seen.file,
        kind=seen.entry.kind,
        name=seen.entry.name,
        resolution=seen.entry.resolution,
        bandwidth=seen.entry.bandwidth,
        codecs=seen.entry.codecs,
        formats=[codec.name for codec in seen.codecs],
        measured_bit_rate=seen.bit_rate,
        segments=seen.media.segments if seen.media else None,
        latency=seen.latency,
    )


ENDPOINTS = (test_stream, preview_stream)
