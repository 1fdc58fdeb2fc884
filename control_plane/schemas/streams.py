"""API schemas for the test of a stream."""

from typing import Literal

from control_plane.schemas import Schema
from control_plane.streams.faults import FaultReason, Severity
from control_plane.streams.outline import RenditionKind


class RenditionView(Schema):
    """One rendition: what the master playlist says (null if it does not), and what was found in its files.

    `bandwidth` and `measuredBitRate` are in bits per second, `latency` in seconds: the time since the end of the newest
    segment of a live stream. `formats` is the codecs that its files actually contain, by their common names.
    """

    file: str
    kind: RenditionKind
    name: str | None
    resolution: str | None
    bandwidth: int | None
    codecs: str | None
    formats: list[str]
    measured_bit_rate: int | None
    segments: int | None
    latency: float | None


class FaultView(Schema):
    """A fault in one file. With an `error` it does not play; with a `warning` not everywhere, or not well."""

    file: str
    severity: Severity
    reason: FaultReason
    sentence: str


class PreviewView(Schema):
    """A token for an organiser to watch the stream, even while the doors are closed, and its lifetime in seconds.

    `streamUrl` begins with `/` if the stream is on the console's own origin.
    """

    playback_token: str
    token_expires_in: int
    stream_url: str


class StreamTestView(Schema):
    """The result of the test; `problem` is the first error of `faults` in one sentence, null if there is none.

    `state`: live, recording, stopped (a live stream without new segments), missing, or unknown (unreadable, or not
    watched for long enough to tell: ask again).
    """

    is_reachable: bool
    state: Literal["live", "recording", "stopped", "missing", "unknown"]
    renditions: list[RenditionView]
    target_duration: float | None
    segments: int | None
    problem: str | None
    faults: list[FaultView]
