"""What the JSON API takes and says of tickets in bulk: revoking many, files of codes, and a ticket's history."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field

from control_plane.schemas import EVENT_ID_PATTERN, Schema, TicketView

_Id = Annotated[str, Field(pattern=EVENT_ID_PATTERN)]


class TicketIds(Schema):
    """Tickets by their ids; one that is named twice is meant once."""

    token_ids: Annotated[list[_Id], Field(min_length=1, max_length=1000)]


class ImportQuery(Schema):
    """A dry run changes nothing and says what an import would. Doubtful lines are asked about, imported or left out."""

    dry_run: Literal["true", "false"] = "false"
    doubtful: Literal["ask", "import", "skip"] = "ask"


class ExportQuery(Schema):
    status: Literal["revoked", "expired", "redeemed", "unused"] | None = None


class LineProblem(Schema):
    """What is wrong with a line; they count from 1, a heading included. A question may be answered with `doubtful`."""

    line: int
    problem: str
    is_question: bool = False


class ImportReport(Schema):
    """What is in a file, or was imported from it. With any problem nothing is imported."""

    is_dry_run: bool
    codes: int
    imported: int
    problems: list[LineProblem]


class DiagnosisView(Schema):
    """What is in the way of watching: `ok` and `playing` mean nothing is."""

    word: str
    sentence: str


class PastSession(Schema):
    """A session, over or not; `seconds` are how long it lasted, or has by now."""

    sid: str
    seat: int
    device: str
    address: str
    carrier: str
    started_at: datetime
    last_seen_at: datetime
    ended_at: datetime | None
    end_reason: str | None
    seconds: int


class HistoryEntry(Schema):
    """What somebody did or was refused (`outcome` is `ok` or the refusal's word)."""

    action: str
    outcome: str
    actor: str
    address: str | None
    detail: dict[str, Any]


class HappeningView(Schema):
    """An entry or a session, and when it was or began."""

    at: datetime
    kind: Literal["entry", "session"]
    entry: HistoryEntry | None
    session: PastSession | None


class HistoryView(Schema):
    """Why somebody can or cannot watch, and all that happened, newest first. A deleted ticket is null."""

    ticket: TicketView | None
    verdict: DiagnosisView
    happenings: list[HappeningView]
