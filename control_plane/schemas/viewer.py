"""Schemas of the viewer API. Unknown members are ignored, because players can be of any version."""

import re
from datetime import datetime
from typing import Annotated

from pydantic import ConfigDict, Field, StringConstraints

from control_plane.schemas import Schema
from control_plane.sessions.trouble import TroubleKind
from control_plane.streams.event_status import Status

Code = Annotated[str, Field(description="As typed: possibly in groups, in a link, or after a label and a colon.")]

STREAM_FILE = r"^[0-9A-Za-z_-][0-9A-Za-z_.-]*(/[0-9A-Za-z_-][0-9A-Za-z_.-]*)*\.[0-9A-Za-z]{1,8}$"


class ViewerSchema(Schema):
    model_config = ConfigDict(extra="ignore")


class Redemption(ViewerSchema):
    """A code, and whether it may take over the seat of another device."""

    code: Code
    takeover: bool = False


class Resumption(ViewerSchema):
    """The session that the page used: `sid` of its playback token. If omitted, the browser's last one."""

    sid: str | None = Field(default=None, pattern=re.compile(r"^[0-9A-Za-z_-]{1,64}\Z"))


class TvPoll(ViewerSchema):
    """The device code that `POST /api/tv/codes` returned to the TV."""

    device_code: str = Field(pattern=re.compile(r"^[0-9A-Za-z_-]{1,64}\Z"))


class TvPageApproval(ViewerSchema):
    """The code on the TV, in any spelling."""

    user_code: str = Field(min_length=1, max_length=40)


class TvApproval(TvPageApproval):
    """The code on the TV, the code of a ticket, and whether it may take over the seat of another device."""

    code: Code
    takeover: bool = False


class StatusQuery(ViewerSchema):
    """The code can be omitted if the playback token is sent as a bearer token, because URLs are logged."""

    code: Code | None = None


class TvLinkRequest(ViewerSchema):
    """With `ownSession`, the URL belongs to the page's own session and takes no seat: for AirPlay."""

    own_session: bool = False


class TroubleReport(ViewerSchema):
    """A stream that does not play although the network works; `file` is a name below the event's folder."""

    kind: TroubleKind
    file: Annotated[str, StringConstraints(max_length=120, pattern=STREAM_FILE)] | None = None
    status: Annotated[int, Field(ge=100, le=599)] | None = None


class Noted(ViewerSchema):
    noted: bool


class WatchedEvent(ViewerSchema):
    id: str
    title: str
    description: str | None
    starts_at: datetime
    ends_at: datetime
    poster_url: str | None
    is_live: bool


class Token(ViewerSchema):
    """A playback token and its lifetime in seconds; `isHeld` is true while the event's doors are closed."""

    playback_token: str
    token_expires_in: int
    is_held: bool = False


class Granted(Token):
    """A new session; `expiresAt` is when the ticket expires.

    `streamPath` is below `playbackBaseUrl`, which is empty if the streams are on the origin of this request.
    """

    event: WatchedEvent
    playback_base_url: str
    stream_path: str
    expires_at: datetime


class StatusView(ViewerSchema):
    event_id: str
    status: Status
    starts_at: datetime
    ends_at: datetime


class TvLink(ViewerSchema):
    """A URL for a player that accepts only a URL, and its QR code as an SVG element."""

    url: str
    qr: str
    expires_at: datetime
    own_session: bool


class TvCodeShown(ViewerSchema):
    """`userCode` is shown to people, `deviceCode` is the TV's own secret; `qr` leads a phone to the portal."""

    user_code: str
    device_code: str
    verification_url: str
    qr: str
    expires_in: int
    interval: int


class TvWaiting(ViewerSchema):
    """The TV is not approved yet; ask again after `interval` seconds."""

    interval: int


class TvApproved(ViewerSchema):
    """`moved` is true if the page's own session gave its seat to the TV, and has ended."""

    approved: bool
    moved: bool


class TvPlan(ViewerSchema):
    pauses_here: bool


class Alive(ViewerSchema):
    """`secondsSilent`: the time since the previous heartbeat, or request that the gate allowed."""

    ok: bool
    seconds_silent: float


class Released(ViewerSchema):
    released: bool


class Stopped(ViewerSchema):
    stopped: bool


class RevokedCode(ViewerSchema):
    code: str
    revoked_at: datetime


class DeactivatedEvent(ViewerSchema):
    event_id: str
    deactivated_at: datetime
    token_codes: list[str]


class PublishedRevocations(ViewerSchema):
    """What was revoked since a time and is still in force; send `serverTime` in the next request."""

    revocations: list[RevokedCode]
    event_deactivations: list[DeactivatedEvent]
    server_time: datetime


class SinceQuery(ViewerSchema):
    """`since` is an ISO 8601 time with a time zone."""

    since: str
