"""API schemas for tickets, files of codes, and the history of a ticket."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field

from control_plane.end_reasons import EndReason
from control_plane.schemas import EVENT_ID_PATTERN, Label, Paging, Schema, Text
from control_plane.tickets.tickets import TicketStatus


class TicketOrder(Schema):
    """How many codes to generate, and the label of all of them."""

    count: Annotated[int, Field(ge=1, le=1000)]
    label: Label | None = None


class TicketsOfEventQuery(Paging):
    """Filters for a list of tickets; `search` is part of a code or label."""

    status: TicketStatus | None = None
    search: Annotated[Text, Field(max_length=200)] = ""


class TicketQuery(TicketsOfEventQuery):
    event_id: Annotated[str, Field(pattern=EVENT_ID_PATTERN)] | None = None


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


_Id = Annotated[str, Field(pattern=EVENT_ID_PATTERN)]


class TicketIds(Schema):
    """The ids of tickets; duplicates count once."""

    token_ids: Annotated[list[_Id], Field(min_length=1, max_length=1000)]


class ImportQuery(Schema):
    """A dry run changes nothing and reports what an import would. `doubtful`: what to do with doubtful lines."""

    dry_run: Literal["true", "false"] = "false"
    doubtful: Literal["ask", "import", "skip"] = "ask"


class ExportQuery(Schema):
    status: TicketStatus | None = None


class LineProblem(Schema):
    """A problem in a line; lines count from 1, including a heading. A question can be answered with `doubtful`."""

    line: int
    problem: str
    is_question: bool = False


class ImportReport(Schema):
    """What a file contains, or what was imported from it. If there is any problem, nothing is imported."""

    is_dry_run: bool
    codes: int
    imported: int
    problems: list[LineProblem]


class DiagnosisView(Schema):
    """What prevents the viewer from watching: nothing if `word` is `ok` or `playing`."""

    word: str
    sentence: str


class PastSession(Schema):
    """A session, ended or not; `seconds` is how long it lasted, or has lasted so far."""

    sid: str
    seat: int
    device: str
    address: str
    carrier: str
    started_at: datetime
    last_seen_at: datetime
    ended_at: datetime | None
    end_reason: EndReason | None
    seconds: int


class HistoryEntry(Schema):
    """An action that was done or refused (`outcome` is `ok` or the word of the refusal)."""

    action: str
    outcome: str
    actor: str
    address: str | None
    detail: dict[str, Any]


class HappeningView(Schema):
    """An entry or a session, and when it happened or began."""

    at: datetime
    kind: Literal["entry", "session"]
    entry: HistoryEntry | None
    session: PastSession | None


class HistoryView(Schema):
    """Why a viewer can or cannot watch, and all that happened, newest first. `ticket` is null if it was deleted."""

    ticket: TicketView | None
    verdict: DiagnosisView
    happenings: list[HappeningView]
