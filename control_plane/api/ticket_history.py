"""The admin API's history of a ticket, which explains why a viewer cannot watch."""

from datetime import datetime

from starlette.responses import Response

from control_plane.access.actors import Permission
from control_plane.api.tickets import ticket_view
from control_plane.lifecycle import diagnosis
from control_plane.schemas import Paging
from control_plane.schemas.tickets import DiagnosisView, HappeningView, HistoryEntry, HistoryView, PastSession
from control_plane.tables import AuditEntry, ViewingSession
from control_plane.tickets import history
from control_plane.tickets.history import HistoryItem
from control_plane.web import answers
from control_plane.web.answers import History
from control_plane.web.endpoints import Call, endpoint


@endpoint("GET /tokens/{ticket_id:uuid}/history", permission=Permission.READ, responses={200: History[HistoryView]})
async def show_history(call: Call, query: Paging) -> Response:
    """Show why a viewer can or cannot watch with a ticket, and everything that happened to it, newest first."""
    async with call.app.database.read() as db:
        subject = await history.subject(db, call.id("ticket_id"))
        result = await diagnosis.diagnose(db, subject, call.app.rules, call.now)
        found, total = await history.page(db, call.id("ticket_id"), query.offset, query.limit)
    view = HistoryView(
        ticket=ticket_view(subject.ticket) if subject.ticket else None,
        verdict=DiagnosisView(word=result.word, sentence=result.sentence),
        happenings=[_happening(one, call.now) for one in found],
    )
    return answers.history(view, query, total)


def _happening(one: HistoryItem, now: datetime) -> HappeningView:
    return HappeningView(
        at=one.at,
        kind="session" if one.session else "entry",
        entry=_entry(one.entry, one) if one.entry else None,
        session=_session(one.session, now) if one.session else None,
    )


def _entry(entry: AuditEntry, one: HistoryItem) -> HistoryEntry:
    values = {name: getattr(entry, name) for name in ("action", "outcome", "actor", "address")}
    return HistoryEntry(**values, detail=one.detail)


def _session(session: ViewingSession, now: datetime) -> PastSession:
    same = ("sid", "seat", "carrier", "started_at", "last_seen_at", "ended_at", "end_reason")
    duration = (session.ended_at or now) - session.started_at
    return PastSession(
        **{name: getattr(session, name) for name in same},
        device=session.user_agent,
        address=session.client_ip,
        seconds=max(0, int(duration.total_seconds())),
    )


ENDPOINTS = (show_history,)
