"""What the JSON API and the forms take: validated once here, one message a field, used everywhere."""

import re
from datetime import UTC, datetime
from typing import Annotated, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, model_validator
from pydantic.alias_generators import to_camel

from authz_sidecar.contract.playback_token import EVENT_ID

Text = Annotated[str, StringConstraints(strip_whitespace=True)]
Title = Annotated[Text, Field(min_length=1, max_length=200)]
Label = Annotated[Text, Field(max_length=200)]
# Ticket and token times are reckoned from these; within the range no such sum leaves what a datetime can hold.
Moment = Annotated[AwareDatetime, Field(ge=datetime(1970, 1, 2, tzinfo=UTC), le=datetime(9000, 1, 1, tzinfo=UTC))]
HttpUrl = Annotated[Text, Field(max_length=2000, pattern=re.compile(r"^https?://[^\s]+$"))]


class Schema(BaseModel):
    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, extra="forbid", hide_input_in_errors=True
    )


class EventDraft(Schema):
    """A new event. `id` names its stream folder and is drawn when it is not given."""

    id: Annotated[str, Field(pattern=re.compile(rf"^{EVENT_ID.pattern}\Z"))] | None = None
    title: Title
    description: Annotated[Text, Field(max_length=4000)] | None = None
    poster_url: HttpUrl | None = None
    starts_at: Moment
    ends_at: Moment
    access_window_hours: Annotated[int, Field(ge=1, le=168)] = 48
    session_policy: Literal["refuse", "takeover"] = "refuse"
    max_devices: Annotated[int, Field(ge=1, le=10)] = 1

    @model_validator(mode="after")
    def _ends_after_its_start(self) -> Self:
        if self.ends_at <= self.starts_at:
            raise ValueError("endsAt must be later than startsAt")
        return self


class TicketOrder(Schema):
    """How many codes to generate, and the label that all of them carry."""

    count: Annotated[int, Field(ge=1, le=1000)]
    label: Label | None = None


class Credentials(Schema):
    username: Annotated[str, Field(min_length=1, max_length=64)] = "admin"
    password: Annotated[str, Field(min_length=1, max_length=1000)]


class Paging(Schema):
    page: Annotated[int, Field(ge=1, le=1_000_000)] = 1
    limit: Annotated[int, Field(ge=1, le=200)] = 50


class EventView(Schema):
    """An event as the API shows it; the counts are those of its tickets."""

    id: str
    title: str
    description: str | None
    stream_url: str | None
    poster_url: str | None
    starts_at: datetime
    ends_at: datetime
    access_window_hours: int
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


def parse_moment(text: str) -> datetime:
    """Read an ISO 8601 time with its zone, since 1970. Raise ValueError."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None or moment.timestamp() < 0:
        raise ValueError("a time without its zone, or before 1970")
    return moment


def utc_now() -> datetime:
    return datetime.now(UTC)
