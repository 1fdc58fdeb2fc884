"""What the API says about a stream that somebody had tested."""

from typing import Literal

from control_plane.schemas import Schema
from control_plane.streams.faults import FaultReason, Severity
from control_plane.streams.outline import RenditionKind


class RenditionView(Schema):
    """One rendition: what the master playlist says (null where it does not), and what was found in its files.

    `bandwidth` and `measuredBitRate` are in bits a second, `latency` in seconds: for how long the newest segment of a
    live stream has been over. `formats` are the codecs that its files really hold, by their common names.
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
    """What is wrong with one file. An `error` does not play; a `warning` plays, but not for everybody or not well."""

    file: str
    severity: Severity
    reason: FaultReason
    sentence: str


class PreviewView(Schema):
    """A token with which an organiser sees the stream, also behind closed doors, and for how many seconds it is good.

    `streamUrl` begins with `/` where the stream is on the console's own origin.
    """

    playback_token: str
    token_expires_in: int
    stream_url: str


class StreamTestView(Schema):
    """What was found; `problem` is the first error of `faults` in one sentence, null when there is none.

    `state`: live, recording, stopped (a live stream that stands still), missing, or unknown (unreadable, or not
    watched for long enough to tell: ask again).
    """

    is_reachable: bool
    state: Literal["live", "recording", "stopped", "missing", "unknown"]
    renditions: list[RenditionView]
    target_duration: float | None
    segments: int | None
    problem: str | None
    faults: list[FaultView]
