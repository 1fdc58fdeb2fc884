"""Sessions, as organisers see them."""

from datetime import datetime
from typing import Annotated

from pydantic import Field

from control_plane.end_reasons import EndReason
from control_plane.schemas import EVENT_ID_PATTERN, Paging, Schema


class SessionQuery(Paging):
    event_id: Annotated[str, Field(pattern=EVENT_ID_PATTERN)] | None = None


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
    end_reason: EndReason | None
