"""The admin API's ticket files: import codes, and export all codes."""

import re
from collections.abc import AsyncIterator, Sequence
from typing import Final
from urllib.parse import quote

from anyio import to_thread
from starlette.responses import Response, StreamingResponse

from control_plane.access.actors import Permission
from control_plane.access.audited_change import Action
from control_plane.errors import Conflict, ImportRefused, MalformedRequest
from control_plane.events import events
from control_plane.schemas.tickets import ExportQuery, ImportQuery, ImportReport, LineProblem
from control_plane.tables import Event
from control_plane.tickets import csv_text, ticket_csv, ticket_export, ticket_import
from control_plane.tickets.ticket_csv import ParsedCodes, Problem
from control_plane.tickets.tickets import TicketStatus
from control_plane.web import answers
from control_plane.web.answers import Data
from control_plane.web.endpoints import Call, endpoint

_CSV: Final = "text/csv"
_UNSAFE: Final = re.compile(r"[^0-9A-Za-z]+")
_LONGEST_NAME: Final = 60


@endpoint(
    "POST /events/{event_id:uuid}/tokens/import",
    permission=Permission.TICKETS,
    responses={200: Data[ImportReport], 201: Data[ImportReport]},
    refusals=(MalformedRequest, ImportRefused, Conflict),
    body_media_types=(_CSV,),
    max_body_bytes=ticket_csv.MAX_BYTES,
)
async def import_tickets(call: Call, query: ImportQuery) -> Response:
    """Import your own codes (`code` or `code,label`), all of them or none; a dry run (200) only reports problems.

    Lines that look like headings or words, and codes that are easy to guess, are questions; `doubtful` answers them.
    """
    if call.request.headers.get("content-type", "").partition(";")[0].strip().lower() != _CSV:
        raise MalformedRequest("Send the codes as text/csv.")
    codes = await to_thread.run_sync(ticket_csv.read, await call.request.body())
    codes = codes.answered(query.doubtful)
    if query.dry_run == "true":
        async with call.app.database.read() as db:
            problems = await ticket_import.check(db, call.id("event_id"), codes)
        return await to_thread.run_sync(_dry_run, codes, problems)
    async with call.audited_change(Action.TICKET_IMPORT, call.id("event_id")) as change:
        change.event_id, change.detail = change.subject, {"count": codes.total}
        await ticket_import.run(change.db, call.id("event_id"), codes, change.now)
    imported = ImportReport(is_dry_run=False, codes=codes.total, imported=codes.total, problems=[])
    return answers.data(imported, 201)


@endpoint("GET /events/{event_id:uuid}/tokens/export", permission=Permission.READ, responses={200: _CSV})
async def export_tickets(call: Call, query: ExportQuery) -> Response:
    """Export the tickets of an event as CSV, oldest first."""
    async with call.app.database.read() as db:
        event = await events.find(db, call.id("event_id"))
    headers = {"Content-Disposition": _attachment(event)}
    return StreamingResponse(_lines(call, event, query.status), headers=headers, media_type=f"{_CSV}; charset=utf-8")


async def _lines(call: Call, event: Event, status: TicketStatus | None) -> AsyncIterator[str]:
    yield csv_text.MARK + csv_text.line(ticket_export.HEADINGS)
    async for batch in ticket_export.batches(call.app.database, event.id, status, call.now):
        yield await to_thread.run_sync(ticket_export.lines, event.title, batch)


def _attachment(event: Event) -> str:
    """Return a header that names the file after the event: in ASCII, and with the full title (RFC 6266)."""
    plain = _UNSAFE.sub("-", event.title).strip("-")[:_LONGEST_NAME] or event.id
    full = quote(f"{event.title[:_LONGEST_NAME]}.csv", safe="")
    return f"attachment; filename=\"tickets-{plain}.csv\"; filename*=UTF-8''tickets-{full}"


def _dry_run(codes: ParsedCodes, problems: Sequence[Problem]) -> Response:
    """Return the report of a dry run. Run it in a thread: ten thousand lines would block the event loop."""
    line_problems = [
        LineProblem(line=line, problem=sentence, is_question=is_question) for line, sentence, is_question in problems
    ]
    return answers.data(ImportReport(is_dry_run=True, codes=codes.total, imported=0, problems=line_problems))


ENDPOINTS = (import_tickets, export_tickets)
