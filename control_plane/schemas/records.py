"""API schemas for the audit log and the dashboard."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import Field

from control_plane.schemas import EVENT_ID_PATTERN, Moment, Paging, Schema, Text
from control_plane.schemas.edges import EdgeView
from control_plane.streams.event_status import StatusDetail

_Word = Annotated[Text, Field(max_length=100)]
_Id = Annotated[str, Field(pattern=EVENT_ID_PATTERN)]


class AuditSelection(Schema):
    """Filters for entries; an action that ends with a dot (`ticket.`) stands for all that begin with it."""

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
    """An entry: who did what, when, from where, and the outcome (`ok`, or the word of a refusal)."""

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
    """An event that takes place now, and the current state of the event and its stream."""

    standing: StatusDetail


class RefusalCount(Schema):
    """The number of audit entries with this refusal; repeated refusals of one address are one entry a second."""

    reason: str
    last_hour: int
    last_day: int


class DashboardView(Schema):
    """The current figures. `viewers` is their number at every quarter of an hour of the last day, oldest first.

    `current` is the events that take place now, at most fifty; `liveEvents` counts those of them whose stream is live.
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
