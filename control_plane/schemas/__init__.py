"""What the JSON API and the forms take: validated once here, one message a field, used everywhere."""

import re
from datetime import UTC, datetime
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, model_validator
from pydantic.alias_generators import to_camel

from authz_sidecar.contract.playback_token import EVENT_ID
from control_plane.clock import LATEST

# No NUL: PostgreSQL cannot store it.
Text = Annotated[str, StringConstraints(strip_whitespace=True, pattern=r"^[^\x00]*$")]
Title = Annotated[Text, Field(min_length=1, max_length=200)]
Label = Annotated[Text, Field(max_length=200)]
Moment = Annotated[AwareDatetime, Field(ge=datetime(1970, 1, 2, tzinfo=UTC), le=LATEST)]
EVENT_ID_PATTERN = re.compile(rf"^{EVENT_ID.pattern}\Z")
HttpUrl = Annotated[Text, Field(max_length=2000, pattern=re.compile(r"^https?://[^\s]+$"))]


def _is_shown(url: str) -> str:
    """Refuse what nobody would see: the page admits pictures over https only (Content-Security-Policy)."""
    if url.lower().startswith("http://"):
        raise ValueError(
            "Browsers do not show a poster that begins with http://. Use an https:// address, or upload the picture."
        )
    return url


PosterUrl = Annotated[HttpUrl, AfterValidator(_is_shown)]


class Schema(BaseModel):
    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, extra="forbid", hide_input_in_errors=True
    )


class EventFields(Schema):
    """What an organiser decides about an event."""

    title: Title
    description: Annotated[Text, Field(max_length=4000)] | None = None
    stream_url: Annotated[Text, Field(max_length=500)] | None = None  # see origins.checked
    poster_url: PosterUrl | None = None
    starts_at: Moment
    ends_at: Moment
    access_window_hours: Annotated[int, Field(ge=1, le=168)] = 48
    hold_until_start: bool = True  # see events/doors.py
    session_policy: Literal["refuse", "takeover"] = "refuse"
    max_devices: Annotated[int, Field(ge=1, le=10)] = 1

    @model_validator(mode="after")
    def _ends_after_its_start(self) -> Self:
        if self.ends_at <= self.starts_at:
            raise ValueError("endsAt must be later than startsAt")
        return self


class EventDraft(EventFields):
    """A new event. `id` names its stream folder and is drawn when it is not given."""

    id: Annotated[str, Field(pattern=EVENT_ID_PATTERN)] | None = None


class EventUpdate(EventFields):
    """All of an event, to take the place of its version `version`; what is left out becomes as in a new event."""

    version: Annotated[int, Field(ge=1, le=2**31 - 1)]


class TicketOrder(Schema):
    """How many codes to generate, and the label that all of them carry."""

    count: Annotated[int, Field(ge=1, le=1000)]
    label: Label | None = None


class Credentials(Schema):
    """What signs in. `totp` is the app's code or a recovery code, for those who use one."""

    username: Annotated[str, Field(min_length=1, max_length=64)] = "admin"
    password: Annotated[str, Field(min_length=1, max_length=1000, repr=False)]
    totp: Annotated[str | None, Field(max_length=40, repr=False)] = None


class Paging(Schema):
    page: Annotated[int, Field(ge=1, le=1_000_000)] = 1
    limit: Annotated[int, Field(ge=1, le=200)] = 50

    @property
    def offset(self) -> int:
        return (self.page - 1) * self.limit


class TicketsOfEventQuery(Paging):
    """A list of tickets, narrowed; `search` is part of a code or label."""

    status: Literal["revoked", "expired", "redeemed", "unused"] | None = None
    search: Annotated[Text, Field(max_length=200)] = ""


class EventQuery(Paging):
    """A list of events, narrowed and sorted; archived ones are left out unless they are asked for."""

    status: Literal["active", "deactivated", "archived", "upcoming", "live", "ended"] | None = None
    timeframe: Literal["upcoming", "current", "past"] | None = None
    search: Annotated[Text, Field(max_length=200)] = ""
    sort: Literal["startsAt", "-startsAt", "title", "-title", "createdAt", "-createdAt"] = "-startsAt"
    archived: Literal["false", "true", "all"] = "false"


class TicketQuery(TicketsOfEventQuery):
    event_id: Annotated[str, Field(pattern=EVENT_ID_PATTERN)] | None = None


class SessionQuery(Paging):
    event_id: Annotated[str, Field(pattern=EVENT_ID_PATTERN)] | None = None


class TicketsByStatus(Schema):
    """How many tickets of each status an event has."""

    unused: int = 0
    redeemed: int = 0
    expired: int = 0
    revoked: int = 0


class OriginCredentials(Schema):
    """What an event's own origin is shown; what is left out is shown no more. It is never told again."""

    header: Annotated[str | None, Field(max_length=4200, repr=False)] = None
    query: Annotated[str | None, Field(max_length=4200, repr=False)] = None


Standing = Literal["deactivated", "upcoming", "held", "no-stream", "live", "interrupted", "recording", "over"]


class FaultOfEvent(Schema):
    """What is wrong with one file of a stream; `reason` is a word of "What is wrong with a stream" in the README."""

    file: str
    reason: str
    sentence: str


class TroubleOfEvent(Schema):
    """What keeps an event's stream from playing now, and since when."""

    since: datetime
    faults: list[FaultOfEvent]


class EventView(Schema):
    """An event as the API shows it. `redeemed` counts tickets that ever were, `ticketCounts` those that still are.

    `doors` is what an organiser has done to them, null while they follow the plan: closed until the start where
    `holdUntilStart` says so. `standing` is what the event and its stream do now, null where nobody has looked.
    What its own origin is shown is not told, only whether there is any. `uploadedPoster` is a path on this origin,
    shown to viewers in place of `posterUrl`. `trouble` is the stream's at this moment, as webhooks are told it;
    null where there is none, and in answers to changes.
    """

    id: str
    title: str
    description: str | None
    stream_url: str | None
    has_origin_header: bool = False
    has_origin_query: bool = False
    poster_url: str | None
    uploaded_poster: str | None = None
    starts_at: datetime
    ends_at: datetime
    access_window_hours: int
    hold_until_start: bool
    doors: Literal["open", "closed"] | None
    is_active: bool
    is_archived: bool
    session_policy: str
    max_devices: int
    version: int
    created_at: datetime
    updated_at: datetime
    tickets: int = 0
    redeemed: int = 0
    watching: int = 0
    standing: Standing | None = None
    trouble: TroubleOfEvent | None = None
    ticket_counts: TicketsByStatus = TicketsByStatus()


class TicketView(Schema):
    id: str
    code: str
    event_id: str
    label: str | None
    status: Literal["revoked", "expired", "redeemed", "unused"]
    revoked_at: datetime | None
    redeemed_at: datetime | None
    expires_at: datetime
    created_at: datetime
    watching: int = 0


class WatcherView(Schema):
    """A live session as an organiser sees it; `clients` are those that used it in the last minutes."""

    sid: str
    event_id: str
    event_title: str
    ticket_id: str
    label: str | None
    since: datetime
    last_seen_at: datetime
    device: str
    carrier: str
    clients: int
    is_shared: bool


class EndedSession(Schema):
    sid: str
    ended_at: datetime | None
    end_reason: str | None


class EdgeView(Schema):
    """An edge; `lagSeconds` is what the newest pushed change took, or how long an older one has been waiting."""

    name: str
    live_instances: int
    receipt: str
    last_receipt_at: datetime
    lag_seconds: float | None


class EdgeReceipt(Schema):
    """Whether a place in the feed is in force at an edge, and how many seconds after the change, where known."""

    name: str
    live_instances: int
    in_force: bool
    after_seconds: float | None


class Receipt(Schema):
    """Where everything up to a place in the feed is in force; `at` is when that change was made."""

    cursor: str
    at: datetime | None
    in_force_everywhere: bool
    edges: list[EdgeReceipt]
