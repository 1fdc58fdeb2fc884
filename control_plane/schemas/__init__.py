"""What the JSON API and the forms accept and return: validated here once, with one message per field."""

import re
from datetime import UTC, datetime
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, model_validator
from pydantic.alias_generators import to_camel

from authz_sidecar.contract.playback_token import EVENT_ID
from control_plane.clock import LATEST
from control_plane.events.events import StatusFilter, Timeframe
from control_plane.streams.event_status import StatusDetail
from control_plane.tickets.tickets import TicketStatus

# No NUL: PostgreSQL cannot store it.
Text = Annotated[str, StringConstraints(strip_whitespace=True, pattern=r"^[^\x00]*$")]
Title = Annotated[Text, Field(min_length=1, max_length=200)]
Label = Annotated[Text, Field(max_length=200)]
Moment = Annotated[AwareDatetime, Field(ge=datetime(1970, 1, 2, tzinfo=UTC), le=LATEST)]
EVENT_ID_PATTERN = re.compile(rf"^{EVENT_ID.pattern}\Z")
HttpUrl = Annotated[Text, Field(max_length=2000, pattern=re.compile(r"^https?://[^\s]+$"))]


def _is_shown(url: str) -> str:
    """Raise ValueError for http://: the Content-Security-Policy of the pages allows images over https only."""
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
    """The properties of an event that an organiser sets."""

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
    """A new event. `id` names its stream folder and is generated if it is not given."""

    id: Annotated[str, Field(pattern=EVENT_ID_PATTERN)] | None = None


class EventUpdate(EventFields):
    """A whole event, which replaces its version `version`; omitted fields get the defaults of a new event."""

    version: Annotated[int, Field(ge=1, le=2**31 - 1)]


class TicketOrder(Schema):
    """How many codes to generate, and the label of all of them."""

    count: Annotated[int, Field(ge=1, le=1000)]
    label: Label | None = None


class SignInForm(Schema):
    """The credentials of a user. `totp` is the app's code or a recovery code, if the user has a second factor."""

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
    """Filters for a list of tickets; `search` is part of a code or label."""

    status: TicketStatus | None = None
    search: Annotated[Text, Field(max_length=200)] = ""


class EventQuery(Paging):
    """Filters and order of a list of events; archived ones are left out by default."""

    status: StatusFilter | None = None
    timeframe: Timeframe | None = None
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
    """Credentials for an event's own origin; omitted ones are removed. They are never returned."""

    header: Annotated[str | None, Field(max_length=4200, repr=False)] = None
    query: Annotated[str | None, Field(max_length=4200, repr=False)] = None


class FaultOfEvent(Schema):
    """A fault in one file of a stream; `reason` is a word listed in docs/reference/faults.md."""

    file: str
    reason: str
    sentence: str


class TroubleOfEvent(Schema):
    """What currently prevents an event's stream from playing, and since when."""

    since: datetime
    faults: list[FaultOfEvent]


class EventView(Schema):
    """An event. `redeemed` counts the tickets that were ever redeemed, `ticketCounts` the tickets by current status.

    `doors` is the organiser's override, null while the doors follow the schedule: closed until the start if
    `holdUntilStart` is true. `standing` is the current state of the event and its stream, null where it was not
    determined. The credentials for its own origin are not shown, only whether there are any. `uploadedPoster` is a path
    on this origin, shown to viewers in place of `posterUrl`. `trouble` is the current trouble of the stream, as it is
    sent to webhooks; null if there is none, and in responses to changes.
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
    standing: StatusDetail | None = None
    trouble: TroubleOfEvent | None = None
    ticket_counts: TicketsByStatus = TicketsByStatus()


class TicketView(Schema):
    id: str
    code: str
    event_id: str
    label: str | None
    status: TicketStatus
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
    """An edge; `lagSeconds` is how long the newest pushed change took, or how long an older one has been waiting."""

    name: str
    live_instances: int
    receipt: str
    last_receipt_at: datetime
    lag_seconds: float | None


class EdgeReceipt(Schema):
    """Whether a place in the feed is in force at an edge, and how many seconds after the change, if known."""

    name: str
    live_instances: int
    in_force: bool
    after_seconds: float | None


class Receipt(Schema):
    """At which edges everything up to a place in the feed is in force; `at` is when that change was made."""

    cursor: str
    at: datetime | None
    in_force_everywhere: bool
    edges: list[EdgeReceipt]
