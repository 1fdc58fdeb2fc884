"""What the API says about a stream that somebody had tested."""

from typing import Literal

from control_plane.schemas import Schema


class RenditionView(Schema):
    """A variant of the master playlist; `bandwidth` in bits a second. What it does not say is null."""

    resolution: str | None
    bandwidth: int | None
    codecs: str | None


class StreamTestView(Schema):
    """What was found; `problem` is why nobody could watch, null when somebody could.

    `state`: live, recording, stopped (a live stream that stands still), missing, or unknown (unreadable, or not
    watched for long enough to tell: ask again).
    """

    is_reachable: bool
    state: Literal["live", "recording", "stopped", "missing", "unknown"]
    renditions: list[RenditionView]
    target_duration: float | None
    segments: int | None
    problem: str | None
