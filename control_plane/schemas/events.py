"""Events: what clients send, and what they get."""

from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from control_plane.events.events import StatusFilter, Timeframe
from control_plane.schemas import EVENT_ID_PATTERN, HttpUrl, Moment, Paging, Schema, Text, Title
from control_plane.streams.event_status import StatusDetail


def _is_shown(url: str) -> str:
    """Raise ValueError for http://: the Content-Security-Policy of the pages allows images over https only."""
    if url.lower().startswith("http://"):
        raise ValueError(
            "Browsers do not show a poster that begins with http://. Use an https:// address, or upload the picture."
        )
    return url


PosterUrl = Annotated[HttpUrl, AfterValidator(_is_shown)]


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


class EventQuery(Paging):
    """Filters and order of a list of events; archived ones are left out by default."""

    status: StatusFilter | None = None
    timeframe: Timeframe | None = None
    search: Annotated[Text, Field(max_length=200)] = ""
    sort: Literal["startsAt", "-startsAt", "title", "-title", "createdAt", "-createdAt"] = "-startsAt"
    archived: Literal["false", "true", "all"] = "false"


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
