"""The admin API's viewing sessions, edges and receipts of revocations."""

from datetime import UTC, datetime

from starlette.responses import Response

from authz_sidecar.contract.feed import Cursor
from control_plane.access.actors import Permission
from control_plane.access.audited_change import Action
from control_plane.errors import NotFound
from control_plane.revocations import edges, revocation_feed
from control_plane.revocations.edges import EdgeState
from control_plane.schemas.edges import EdgeReceipt, EdgeView, Receipt
from control_plane.schemas.sessions import EndedSession, SessionQuery, WatcherView
from control_plane.sessions import watching
from control_plane.sessions.reports import NAME
from control_plane.sessions.watching import Watcher
from control_plane.web import answers
from control_plane.web.answers import Changed, Data, Page
from control_plane.web.endpoints import Call, endpoint


@endpoint("GET /sessions", permission=Permission.READ, responses={200: Page[WatcherView]})
async def list_sessions(call: Call, query: SessionQuery) -> Response:
    """List the live sessions, the most recently seen first."""
    async with call.app.database.read() as db:
        found, total = await watching.page(db, query.event_id, call.alive_since, query.offset, query.limit)
    clients = call.app.clients.of([watcher.session.sid for watcher in found], call.now)
    return answers.page([_watcher_view(watcher, clients[watcher.session.sid]) for watcher in found], query, total)


@endpoint("DELETE /sessions/{sid}", permission=Permission.REVOKE, responses={200: Changed[EndedSession]})
async def kick(call: Call) -> Response:
    """End a session: its device is disconnected, its ticket stays valid."""
    sid = call.id("sid")
    if not NAME.fullmatch(sid):
        raise NotFound
    async with call.audited_change(Action.SESSION_KICK, sid) as change:
        session = await watching.kick(change.db, sid, change.now)
        change.ticket_id, change.event_id = session.ticket_id, await watching.event_id_of(change.db, session)
        cursor = await revocation_feed.head(change.db)
    ended = EndedSession(sid=session.sid, ended_at=session.ended_at, end_reason=session.end_reason)
    return answers.changed(ended, cursor)


@endpoint("GET /edges", permission=Permission.READ, responses={200: Data[list[EdgeView]]})
async def list_edges(call: Call) -> Response:
    """List the edges and the revocations that are in force there."""
    return answers.data(await edge_views(call))


@endpoint("GET /revocations/{cursor}", permission=Permission.READ, responses={200: Data[Receipt]})
async def show_receipt(call: Call) -> Response:
    """Show on which edges everything up to a feed cursor is in force, and how many seconds after the change."""
    app = call.app
    async with app.database.read() as db:
        cursor, changed_at = await revocation_feed.find(db, call.id("cursor"))
        found = await edges.known(db, app.receipts, call.now.timestamp())
    states = [_receipt(state, cursor, changed_at, app.receipts) for state in found]
    everywhere = all(state.in_force for state in states)
    return answers.data(Receipt(cursor=str(cursor), at=changed_at, in_force_everywhere=everywhere, edges=states))


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


async def edge_views(call: Call) -> list[EdgeView]:
    async with call.app.database.read() as db:
        found = await edges.known(db, call.app.receipts, call.now.timestamp())
        lags = [await edges.lag_of(db, state, call.now) for state in found]
    return [_edge(state, lag) for state, lag in zip(found, lags, strict=True)]


def _edge(state: EdgeState, lag: float | None) -> EdgeView:
    return EdgeView(
        name=state.name,
        live_instances=state.live_instances,
        receipt=str(state.cursor),
        last_receipt_at=datetime.fromtimestamp(state.heard_at, UTC),
        lag_seconds=None if lag is None else round(lag, 3),
    )


def _receipt(state: EdgeState, cursor: Cursor, changed_at: datetime | None, receipts: edges.Receipts) -> EdgeReceipt:
    is_in_force = state.cursor.epoch == cursor.epoch and state.cursor.n >= cursor.n
    since = receipts.in_force_since(state.name, cursor.n) if is_in_force else None
    seconds = None if since is None or changed_at is None else round(max(0.0, since - changed_at.timestamp()), 3)
    return EdgeReceipt(
        name=state.name, live_instances=state.live_instances, in_force=is_in_force, after_seconds=seconds
    )


ENDPOINTS = (list_sessions, kick, list_edges, show_receipt)
