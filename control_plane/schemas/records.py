"""What the API says of what happened: the audit log's entries and the dashboard's figures."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import Field

from control_plane.schemas import EVENT_ID_PATTERN, EdgeView, Moment, Paging, Schema, Standing, Text

_Word = Annotated[Text, Field(max_length=100)]
_Id = Annotated[str, Field(pattern=EVENT_ID_PATTERN)]


class AuditSelection(Schema):
    """Which entries; an action that ends with a dot (`ticket.`) stands for all that begin with it."""

    actor: _Word | None = None
    action: _Word | None = None
    subject: _Word | None = None
    ticket_id: _Id | None = None
    event_id: _Id | None = None
    outcome: _Word | None = None
    since: Annotated[Moment | None, Field(alias="from")] = None
    until: Annotated[Moment | None, Field(alias="to")] = None


class AuditQuery(AuditSelection, Paging):
    """A page of entries."""


class AuditView(Schema):
    """An entry: who did what, when, from where, and how it ended (`ok`, or the word of a refusal)."""

    id: int
    at: datetime
    actor_kind: str
    actor: str
    address: str | None
    action: str
    outcome: str
    subject: str | None
    event_id: str | None
    ticket_id: str | None
    detail: dict[str, Any] | None


class TicketCounts(Schema):
    unused: int = 0
    redeemed: int = 0
    revoked: int = 0
    expired: int = 0


class WatchingAt(Schema):
    at: datetime
    watching: int


class UpcomingEvent(Schema):
    id: str
    title: str
    starts_at: datetime
    ends_at: datetime


class CurrentEvent(UpcomingEvent):
    """An event whose hour it is, and what it and its stream do now."""

    standing: Standing


class RefusalCount(Schema):
    """How many entries of the audit log say so; the same refusal of one address is one entry a second."""

    reason: str
    last_hour: int
    last_day: int


class DashboardView(Schema):
    """How things are: `viewers` are counted every quarter of an hour of the last day, oldest first.

    `current` are the events whose hour it is, fifty at most; `liveEvents` counts those of them whose stream is live.
    """

    active_events: int
    live_events: int
    current: list[CurrentEvent]
    tickets: TicketCounts
    watching: int
    viewers: list[WatchingAt]
    upcoming: list[UpcomingEvent]
    edges: list[EdgeView]
    refusals: list[RefusalCount]
