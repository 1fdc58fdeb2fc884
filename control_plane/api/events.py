"""The admin API's events.

Changes in the feed have the start time of their transaction, not that of the request: a writer that waits in the queue
must not write after another one with an earlier time.
"""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Final
from urllib.parse import unquote

from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import Response

from control_plane.access.actors import Permission
from control_plane.access.audited_change import Action
from control_plane.clock import utc_now
from control_plane.errors import Conflict, FieldRefused, MalformedRequest
from control_plane.events import doors, events, posters
from control_plane.events.events import EventFilter
from control_plane.lifecycle import deletion, event_changes, event_trouble, revocation
from control_plane.revocations import revocation_feed
from control_plane.schemas.events import (
    EventDraft,
    EventQuery,
    EventUpdate,
    EventView,
    FaultOfEvent,
    OriginCredentials,
    TicketsByStatus,
    TroubleOfEvent,
)
from control_plane.streams import origins
from control_plane.streams.event_status import Status, detail_of
from control_plane.tables import Event
from control_plane.tickets import event_figures
from control_plane.web import answers
from control_plane.web.answers import Changed, Data, Page
from control_plane.web.endpoints import Call, endpoint

Rule = Callable[[AsyncSession, str, datetime], Awaitable[Event]]
CONFIRMATION: Final = "X-Confirm-Delete"


@endpoint("GET /events", permission=Permission.READ, responses={200: Page[EventView]})
async def list_events(call: Call, query: EventQuery) -> Response:
    """List events, latest start first unless sorted otherwise."""
    selected = EventFilter(call.now, query.status, query.timeframe, query.search or None, query.archived, query.sort)
    async with call.app.database.read() as db:
        found, total = await events.page(db, query.offset, query.limit, selected)
        figures = await event_figures.figures(db, [event.id for event in found], call.alive_since)
        trouble = await _trouble_of(db, found)
    statuses = await call.app.probe.statuses(found, call.now)
    views = [event_view(event, figures.get(event.id), statuses[event.id], trouble.get(event.id)) for event in found]
    return answers.page(views, query, total)


@endpoint(
    "POST /events", permission=Permission.EVENTS, responses={201: Data[EventView]}, refusals=(Conflict, FieldRefused)
)
async def create_event(call: Call, body: EventDraft) -> Response:
    """Create an event."""
    async with call.audited_change(Action.EVENT_CREATE) as change:
        event = await event_changes.create_event(change.db, body, change.now, call.app.settings.allowed_places)
        change.subject = change.event_id = event.id
    return answers.data(changed_event_view(call, event), 201)


@endpoint("GET /events/{event_id:uuid}", permission=Permission.READ, responses={200: Data[EventView]})
async def show_event(call: Call) -> Response:
    """Show one event with its figures."""
    async with call.app.database.read() as db:
        event = await events.find(db, call.id("event_id"))
        figures = await event_figures.figures(db, [event.id], call.alive_since)
        trouble = await _trouble_of(db, [event])
    status = await call.app.probe.status(event, call.now)
    return answers.data(event_view(event, figures.get(event.id), status, trouble.get(event.id)))


@endpoint(
    "PUT /events/{event_id:uuid}",
    permission=Permission.EVENTS,
    responses={200: Changed[EventView]},
    refusals=(Conflict, FieldRefused),
)
async def update_event(call: Call, body: EventUpdate) -> Response:
    """Replace an event; its tickets' expiry and its viewers' sessions are adjusted."""
    allowed = call.app.settings.allowed_places
    async with call.audited_change(Action.EVENT_UPDATE, call.id("event_id")) as change:
        change.event_id = change.subject
        event = await event_changes.update_event(change.db, call.id("event_id"), body, allowed, change.now)
        figures = await event_figures.figures(change.db, [event.id], call.alive_since, change.now)
        cursor = await revocation_feed.head(change.db)
    return answers.changed(changed_event_view(call, event, figures.get(event.id)), cursor)


@endpoint(
    "PUT /events/{event_id:uuid}/origin-credentials",
    permission=Permission.EVENTS,
    responses={200: Data[EventView]},
    refusals=(Conflict, FieldRefused),
)
async def show_origin_credentials(call: Call, body: OriginCredentials) -> Response:
    """Set the credentials sent to the event's own origin: a secret header, a fixed query, or neither; write-only."""
    async with call.audited_change(Action.EVENT_ORIGIN_CREDENTIALS, call.id("event_id")) as change:
        change.event_id = change.subject
        event = await events.find(change.db, call.id("event_id"), for_update=True)
        origins.set_credentials(change.db, event, body.header, body.query)
        await change.db.flush()
        change.detail = dict(origins.credentials_set(event))
        figures = await event_figures.figures(change.db, [event.id], call.alive_since, change.now)
    return answers.data(changed_event_view(call, event, figures.get(event.id)))


@endpoint(
    "DELETE /events/{event_id:uuid}",
    permission=Permission.EVENTS,
    responses={204: None},
    refusals=(MalformedRequest, Conflict),
    required_headers={CONFIRMATION: "The event's title, percent-encoded UTF-8."},
)
async def delete_event(call: Call) -> Response:
    """Delete an event permanently with all its tickets; viewers who are watching are disconnected."""
    title = _confirmed_title(call)
    async with call.audited_change(Action.EVENT_DELETE, call.id("event_id")) as change:
        change.event_id = change.subject
        await deletion.delete_event(change.db, call.id("event_id"), title, change.now)
        change.detail = {"title": title}
    return answers.nothing()


@endpoint("PATCH /events/{event_id:uuid}/archive", permission=Permission.EVENTS, responses={200: Data[EventView]})
async def archive_event(call: Call) -> Response:
    """Hide an event from the lists; nothing else changes."""
    return await _archive(call, Action.EVENT_ARCHIVE, event_changes.archive)


@endpoint("PATCH /events/{event_id:uuid}/unarchive", permission=Permission.EVENTS, responses={200: Data[EventView]})
async def unarchive_event(call: Call) -> Response:
    """Show an archived event in the lists again."""
    return await _archive(call, Action.EVENT_UNARCHIVE, event_changes.unarchive)


@endpoint("PATCH /events/{event_id:uuid}/deactivate", permission=Permission.EVENTS, responses={200: Changed[EventView]})
async def deactivate_event(call: Call) -> Response:
    """Close an event to all viewers at once."""
    async with call.audited_change(Action.EVENT_DEACTIVATE, call.id("event_id")) as change:
        change.event_id = change.subject
        event = await revocation.deactivate(change.db, call.id("event_id"), change.now)
        cursor = await revocation_feed.head(change.db)
    return answers.changed(changed_event_view(call, event), cursor)


@endpoint("PATCH /events/{event_id:uuid}/reactivate", permission=Permission.EVENTS, responses={200: Changed[EventView]})
async def reactivate_event(call: Call) -> Response:
    """Open a deactivated event again."""
    async with call.audited_change(Action.EVENT_REACTIVATE, call.id("event_id")) as change:
        change.event_id = change.subject
        event = await revocation.reactivate(change.db, call.id("event_id"), change.now)
        cursor = await revocation_feed.head(change.db)
    return answers.changed(changed_event_view(call, event), cursor)


@endpoint(
    "PATCH /events/{event_id:uuid}/open-doors",
    permission=Permission.EVENTS,
    responses={200: Changed[EventView]},
    refusals=(Conflict,),
)
async def open_doors(call: Call) -> Response:
    """Admit everyone who has a ticket, even before the start."""
    return await _move_doors(call, Action.EVENT_OPEN_DOORS, doors.open_doors)


@endpoint(
    "PATCH /events/{event_id:uuid}/close-doors",
    permission=Permission.EVENTS,
    responses={200: Changed[EventView]},
    refusals=(Conflict,),
)
async def close_doors(call: Call) -> Response:
    """Admit nobody until the doors are opened; this also stops viewers who are watching, but keeps their sessions."""
    return await _move_doors(call, Action.EVENT_CLOSE_DOORS, doors.close_doors)


async def _move_doors(call: Call, action: Action, rule: Rule) -> Response:
    async with call.audited_change(action, call.id("event_id")) as change:
        change.event_id = change.subject
        event = await rule(change.db, call.id("event_id"), change.now)
        figures = await event_figures.figures(change.db, [event.id], call.alive_since, change.now)
        cursor = await revocation_feed.head(change.db)
    return answers.changed(changed_event_view(call, event, figures.get(event.id)), cursor)


async def _archive(call: Call, action: Action, rule: Rule) -> Response:
    async with call.audited_change(action, call.id("event_id")) as change:
        change.event_id = change.subject
        event = await rule(change.db, call.id("event_id"), change.now)
        figures = await event_figures.figures(change.db, [event.id], call.alive_since, change.now)
    return answers.data(changed_event_view(call, event, figures.get(event.id)))


def _confirmed_title(call: Call) -> str:
    """Return the title from its percent-encoded header. Raise MalformedRequest."""
    try:
        title = unquote(call.request.headers.get(CONFIRMATION, ""), errors="strict")
    except UnicodeDecodeError:
        title = ""
    if not title:
        raise MalformedRequest(f"Confirm this with the event's title, percent-encoded, in the header {CONFIRMATION}.")
    return title


def changed_event_view(call: Call, event: Event, figures: event_figures.EventFigures | None = None) -> EventView:
    """Return the view of a changed event, with its last known status: the stream is not probed again."""
    return event_view(event, figures, call.app.probe.cached_status(event, utc_now()))


async def _trouble_of(db: AsyncSession, found: Sequence[Event]) -> dict[str, TroubleOfEvent]:
    known = await event_trouble.of_events(db, [event.id for event in found])
    return {
        event_id: TroubleOfEvent(
            since=since,
            faults=[FaultOfEvent(file=one.file, reason=one.reason.value, sentence=one.sentence) for one in faults],
        )
        for event_id, (since, faults) in known.items()
    }


def event_view(
    event: Event,
    figures: event_figures.EventFigures | None = None,
    status: Status | None = None,
    trouble: TroubleOfEvent | None = None,
) -> EventView:
    """Return the view of an event; without a status from probing its stream, `standing` is null."""
    found = figures or event_figures.EventFigures()
    computed = {
        "tickets",
        "redeemed",
        "watching",
        "ticket_counts",
        "standing",
        "trouble",
        "has_origin_header",
        "has_origin_query",
        "uploaded_poster",
    }
    names = EventView.model_fields.keys() - computed
    return EventView(
        **{name: getattr(event, name) for name in names},
        has_origin_header=origins.credentials_set(event)["header"],
        has_origin_query=origins.credentials_set(event)["query"],
        uploaded_poster=posters.address(event),
        tickets=found.counts.total,
        redeemed=found.counts.ever_redeemed,
        watching=found.watching,
        standing=detail_of(event, status, utc_now()) if status else None,
        trouble=trouble,
        ticket_counts=TicketsByStatus(
            unused=found.counts.unused,
            redeemed=found.counts.redeemed,
            expired=found.counts.expired,
            revoked=found.counts.revoked,
        ),
    )


ENDPOINTS = (
    list_events,
    create_event,
    show_event,
    update_event,
    show_origin_credentials,
    delete_event,
    archive_event,
    unarchive_event,
    deactivate_event,
    reactivate_event,
    open_doors,
    close_doors,
)
