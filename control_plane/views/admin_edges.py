"""The admin API: who is watching now, which edges there are, and where a revocation is in force."""

from datetime import UTC, datetime
from typing import Any

from starlette.responses import Response

from authz_sidecar.contract.feed import Cursor
from control_plane import edges, revocation_feed, watching
from control_plane.activity import NAME
from control_plane.edges import EdgeState
from control_plane.refusals import NotFound
from control_plane.schemas import WatcherView, utc_now
from control_plane.state import Request
from control_plane.views import answers
from control_plane.views.admin_api import signed_in
from control_plane.views.requests import services
from control_plane.watching import Watcher


async def list_sessions(request: Request) -> Response:
    """List the live sessions, the one seen last first."""
    await signed_in(request)
    app, paging, now = services(request), answers.paging(request), utc_now()
    async with app.database.read() as db:
        event_id = request.query_params.get("eventId")
        found, total = await watching.page(db, event_id, (paging.page - 1) * paging.limit, paging.limit)
    clients = app.clients.of([watcher.session.sid for watcher in found], now)
    return answers.page([_watcher_view(watcher, clients[watcher.session.sid]) for watcher in found], paging, total)


async def kick(request: Request) -> Response:
    await signed_in(request)
    sid = request.path_params["sid"]
    if not NAME.fullmatch(sid):
        raise NotFound
    async with services(request).database.write() as db:
        session = await watching.kick(db, sid, utc_now())
        cursor = await revocation_feed.head(db)
    ended_at = session.ended_at.isoformat() if session.ended_at else None
    return answers.changed({"sid": session.sid, "endedAt": ended_at, "endReason": session.end_reason}, cursor)


async def list_edges(request: Request) -> Response:
    await signed_in(request)
    app, now = services(request), utc_now()
    async with app.database.read() as db:
        found = await edges.known(db, app.receipts, now.timestamp())
        waiting_since = [await revocation_feed.oldest_after(db, state.cursor) for state in found]
    return answers.data([_edge(state, since, now) for state, since in zip(found, waiting_since, strict=True)])


async def show_receipt(request: Request) -> Response:
    """Tell where everything up to a place in the feed is in force, and how many seconds after the change."""
    await signed_in(request)
    app, now = services(request), utc_now()
    async with app.database.read() as db:
        cursor, changed_at = await revocation_feed.find(db, request.path_params["cursor"])
        found = await edges.known(db, app.receipts, now.timestamp())
    states = [_receipt(state, cursor, changed_at, app.receipts) for state in found]
    return answers.data(
        {
            "cursor": str(cursor),
            "at": changed_at.isoformat() if changed_at else None,
            "inForceEverywhere": all(state["inForce"] for state in states),
            "edges": states,
        }
    )


def _watcher_view(watcher: Watcher, clients: int) -> WatcherView:
    session, ticket, event = watcher.session, watcher.ticket, watcher.event
    return WatcherView(
        sid=session.sid,
        event_id=event.id,
        event_title=event.title,
        ticket_id=ticket.id,
        label=ticket.label,
        since=session.started_at,
        last_seen_at=session.last_seen_at,
        device=session.user_agent,
        carrier=session.carrier,
        clients=clients,
        is_shared=clients > 1,
    )


def _edge(state: EdgeState, waiting_since: datetime | None, now: datetime) -> dict[str, Any]:
    """Show an edge; its lag is what the newest pushed change took, or how long an older one has been waiting."""
    waiting = max(0.0, (now - waiting_since).total_seconds()) if waiting_since else None
    lag = max((seconds for seconds in (state.lag, waiting) if seconds is not None), default=None)
    return {
        "name": state.name,
        "liveInstances": state.live_instances,
        "receipt": str(state.cursor),
        "lastReceiptAt": datetime.fromtimestamp(state.heard_at, UTC).isoformat(),
        "lagSeconds": None if lag is None else round(lag, 3),
    }


def _receipt(state: EdgeState, cursor: Cursor, changed_at: datetime | None, receipts: edges.Receipts) -> dict[str, Any]:
    is_in_force = state.cursor.epoch == cursor.epoch and state.cursor.n >= cursor.n
    since = receipts.in_force_since(state.name, cursor.n) if is_in_force else None
    seconds = None if since is None or changed_at is None else round(max(0.0, since - changed_at.timestamp()), 3)
    return {
        "name": state.name,
        "liveInstances": state.live_instances,
        "inForce": is_in_force,
        "afterSeconds": seconds,
    }
