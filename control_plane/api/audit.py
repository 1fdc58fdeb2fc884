"""The admin API's audit log: list pages, and export everything as CSV. It cannot be changed."""

import json
from collections.abc import AsyncIterator
from typing import Final

from starlette.responses import Response, StreamingResponse

from control_plane.access import audit_trail
from control_plane.access.actors import Permission
from control_plane.access.audit_trail import AuditFilter
from control_plane.schemas.records import AuditQuery, AuditSelection, AuditView
from control_plane.tables import AuditEntry
from control_plane.tickets import csv_text
from control_plane.web import answers
from control_plane.web.answers import Page
from control_plane.web.endpoints import Call, endpoint

_COLUMNS: Final = (
    "at",
    "actor_kind",
    "actor",
    "address",
    "action",
    "outcome",
    "subject",
    "event_id",
    "ticket_id",
    "detail",
)
_HEADINGS: Final = (
    "Time",
    "Kind of actor",
    "Actor",
    "Address",
    "Action",
    "Outcome",
    "Subject",
    "Event",
    "Ticket",
    "Detail",
)


@endpoint("GET /audit", permission=Permission.READ, responses={200: Page[AuditView]})
async def list_audit(call: Call, query: AuditQuery) -> Response:
    """List the audit log, newest first."""
    async with call.app.database.read() as db:
        found, total = await audit_trail.page(db, _filter(query), query.offset, query.limit)
    return answers.page([_view(entry) for entry in found], query, total)


@endpoint("GET /audit/export", permission=Permission.READ, responses={200: "text/csv"})
async def export_audit(call: Call, query: AuditSelection) -> Response:
    """Export the audit log as CSV, newest first."""
    name = f"audit-{call.now:%Y-%m-%d}.csv"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return StreamingResponse(_lines(call, _filter(query)), headers=headers, media_type="text/csv; charset=utf-8")


async def _lines(call: Call, audit_filter: AuditFilter) -> AsyncIterator[str]:
    yield csv_text.MARK + csv_text.line(_HEADINGS)
    async for batch in audit_trail.everything(call.app.database, audit_filter):
        yield "".join(csv_text.line(_values(entry)) for entry in batch)


def _values(entry: AuditEntry) -> list[object]:
    return [entry.at.isoformat(), *(getattr(entry, name) for name in _COLUMNS[1:])]


def _view(entry: AuditEntry) -> AuditView:
    values = {name: getattr(entry, name) for name in ("id", *_COLUMNS)}
    return AuditView(**values | {"detail": json.loads(entry.detail) if entry.detail else None})


def _filter(query: AuditSelection) -> AuditFilter:
    return AuditFilter(**{name: getattr(query, name) for name in AuditSelection.model_fields})


ENDPOINTS = (list_audit, export_audit)
