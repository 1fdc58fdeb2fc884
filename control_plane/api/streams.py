"""The admin API's streams: test one through the gate, and preview it as an organiser."""

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
    "stopped": "Live, but stalled",
    "missing": "No stream yet",
    "unknown": "Unknown: it could not be read, or was not observed for long enough",
}


@endpoint("POST /events/{event_id:uuid}/test-stream", permission=Permission.READ, responses={200: Data[StreamTestView]})
async def test_stream(call: Call) -> Response:
    """Inspect the whole stream of an event through the gate, like a viewer. This takes some seconds if it is live."""
    async with call.app.database.read() as db:
        event = await events.find(db, call.id("event_id"))
    return answers.data(stream_test_view(await call.app.probe.inspect(event, utc_now)))


@endpoint(
    "POST /events/{event_id:uuid}/preview",
    permission=Permission.EVENTS,
    responses={200: Data[PreviewView]},
    refusals=(Conflict,),
)
async def preview_stream(call: Call) -> Response:
    """Return a token that plays the stream for five minutes, even while the doors are closed."""
    async with call.audited_change(Action.EVENT_PREVIEW, call.id("event_id")) as change:
        change.event_id = change.subject
        event = await events.find(change.db, call.id("event_id"))
        claims = preview.claims_of(event, change.now)
    view = PreviewView(
        playback_token=mint(claims, call.app.ring),
        token_expires_in=claims.exp - int(change.now.timestamp()),
        stream_url=f"{call.app.settings.hls_server_base_url}{claims.sp}stream.m3u8",
    )
    return answers.data(view)


def stream_test_view(found: Inspection) -> StreamTestView:
    first = next((rendition.media for rendition in found.renditions if rendition.media), None)
    return StreamTestView(
        is_reachable=first is not None,
        state=_STATES[found.stream],
        renditions=[_rendition_view(rendition) for rendition in found.renditions],
        target_duration=first.target_seconds if first else None,
        segments=first.segments if first else None,
        problem=found.problem,
        faults=[
            FaultView(file=fault.file, severity=fault.severity, reason=fault.reason, sentence=fault.sentence)
            for fault in found.faults
        ],
    )


def _rendition_view(rendition: InspectedRendition) -> RenditionView:
    return RenditionView(
        file=rendition.file,
        kind=rendition.entry.kind,
        name=rendition.entry.name,
        resolution=rendition.entry.resolution,
        bandwidth=rendition.entry.bandwidth,
        codecs=rendition.entry.codecs,
        formats=[codec.name for codec in rendition.codecs],
        measured_bit_rate=rendition.bit_rate,
        segments=rendition.media.segments if rendition.media else None,
        latency=rendition.latency,
    )


ENDPOINTS = (test_stream, preview_stream)
