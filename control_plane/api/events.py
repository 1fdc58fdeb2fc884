"""The admin API's events.

What reaches the feed bears the time at which its transaction had begun, not that of the request: who waits in the queue
of writers must not come after somebody else and claim to have been earlier.
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
from control_plane.models import Event
from control_plane.revocations import revocation_feed
from control_plane.schemas import (
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
from control_plane.streams.event_status import Status, standing
from control_plane.tickets import event_figures
from control_plane.web import answers
from control_plane.web.answers import Changed, Data, Page
from control_plane.web.endpoints import Call, endpoint

Rule = Callable[[AsyncSession, str, datetime], Awaitable[Event]]
CONFIRMATION: Final = "X-Confirm-Delete"


@endpoint("GET /events", needs=Permission.READ, answers={200: Page[EventView]})
async def list_events(call: Call, query: EventQuery) -> Response:
    """List events, latest start first unless they are sorted otherwise."""
    wanted = EventFilter(call.now, query.status, query.timeframe, query.search or None, query.archived, query.sort)
    async with call.app.database.read() as db:
        found, total = await events.page(db, query.offset, query.limit, wanted)
        figures = await event_figures.figures(db, [event.id for event in found], call.alive_since)
        troubled = await _troubled(db, found)
    statuses = await call.app.probe.statuses(found, call.now)
    views = [event_view(event, figures.get(event.id), statuses[event.id], troubled.get(event.id)) for event in found]
    return answers.page(views, query, total)


@endpoint("POST /events", needs=Permission.EVENTS, answers={201: Data[EventView]}, refuses=(Conflict, FieldRefused))
async def create_event(call: Call, body: EventDraft) -> Response:
    """Create an event."""
    async with call.act(Action.EVENT_CREATE) as deed:
        event = await event_changes.create_event(deed.db, body, call.app.settings.allowed_places)
        deed.subject = deed.event_id = event.id
    return answers.data(as_known(call, event), 201)


@endpoint("GET /events/{event_id:uuid}", needs=Permission.READ, answers={200: Data[EventView]})
async def show_event(call: Call) -> Response:
    """Show one event with its figures."""
    async with call.app.database.read() as db:
        event = await events.find(db, call.id("event_id"))
        figures = await event_figures.figures(db, [event.id], call.alive_since)
        troubled = await _troubled(db, [event])
    status = await call.app.probe.status(event, call.now)
    return answers.data(event_view(event, figures.get(event.id), status, troubled.get(event.id)))


@endpoint(
    "PUT /events/{event_id:uuid}",
    needs=Permission.EVENTS,
    answers={200: Changed[EventView]},
    refuses=(Conflict, FieldRefused),
)
async def update_event(call: Call, body: EventUpdate) -> Response:
    """Replace all of an event; its tickets' end and its viewers' sessions follow."""
    allowed = call.app.settings.allowed_places
    async with call.act(Action.EVENT_UPDATE, call.id("event_id")) as deed:
        deed.event_id = deed.subject
        event = await event_changes.update_event(deed.db, call.id("event_id"), body, allowed, utc_now())
        figures = await event_figures.figures(deed.db, [event.id], call.alive_since, call.now)
        cursor = await revocation_feed.head(deed.db)
    return answers.changed(as_known(call, event, figures.get(event.id)), cursor)


@endpoint(
    "PUT /events/{event_id:uuid}/origin-credentials",
    needs=Permission.EVENTS,
    answers={200: Data[EventView]},
    refuses=(Conflict, FieldRefused),
)
async def show_origin_credentials(call: Call, body: OriginCredentials) -> Response:
    """Say what the event's own origin is shown: a secret header, a fixed query, or neither. Neither is told again."""
    async with call.act(Action.EVENT_ORIGIN_CREDENTIALS, call.id("event_id")) as deed:
        deed.event_id = deed.subject
        event = await events.find(deed.db, call.id("event_id"), for_update=True)
        origins.show(deed.db, event, body.header, body.query)
        await deed.db.flush()
        deed.detail = dict(origins.shown(event))
        figures = await event_figures.figures(deed.db, [event.id], call.alive_since, call.now)
    return answers.data(as_known(call, event, figures.get(event.id)))


@endpoint(
    "DELETE /events/{event_id:uuid}",
    needs=Permission.EVENTS,
    answers={204: None},
    refuses=(MalformedRequest, Conflict),
    headers={CONFIRMATION: "The event's title, percent-encoded UTF-8."},
)
async def delete_event(call: Call) -> Response:
    """Delete an event for good, with all of its tickets; whoever watches is cut off."""
    title = _confirmed_title(call)
    async with call.act(Action.EVENT_DELETE, call.id("event_id")) as deed:
        deed.event_id = deed.subject
        await deletion.delete_event(deed.db, call.id("event_id"), title, utc_now())
        deed.detail = {"title": title}
    return answers.nothing()


@endpoint("PATCH /events/{event_id:uuid}/archive", needs=Permission.EVENTS, answers={200: Data[EventView]})
async def archive_event(call: Call) -> Response:
    """Leave an event out of the lists; nothing else changes."""
    return await _archive(call, Action.EVENT_ARCHIVE, event_changes.archive)


@endpoint("PATCH /events/{event_id:uuid}/unarchive", needs=Permission.EVENTS, answers={200: Data[EventView]})
async def unarchive_event(call: Call) -> Response:
    """Show an archived event in the lists again."""
    return await _archive(call, Action.EVENT_UNARCHIVE, event_changes.unarchive)


@endpoint("PATCH /events/{event_id:uuid}/deactivate", needs=Permission.EVENTS, answers={200: Changed[EventView]})
async def deactivate_event(call: Call) -> Response:
    """Close an event to everybody at once."""
    async with call.act(Action.EVENT_DEACTIVATE, call.id("event_id")) as deed:
        deed.event_id = deed.subject
        event = await revocation.deactivate(deed.db, call.id("event_id"), utc_now())
        cursor = await revocation_feed.head(deed.db)
    return answers.changed(as_known(call, event), cursor)


@endpoint("PATCH /events/{event_id:uuid}/reactivate", needs=Permission.EVENTS, answers={200: Changed[EventView]})
async def reactivate_event(call: Call) -> Response:
    """Open a deactivated event again."""
    async with call.act(Action.EVENT_REACTIVATE, call.id("event_id")) as deed:
        deed.event_id = deed.subject
        event = await revocation.reactivate(deed.db, call.id("event_id"), utc_now())
        cursor = await revocation_feed.head(deed.db)
    return answers.changed(as_known(call, event), cursor)


@endpoint(
    "PATCH /events/{event_id:uuid}/open-doors",
    needs=Permission.EVENTS,
    answers={200: Changed[EventView]},
    refuses=(Conflict,),
)
async def open_doors(call: Call) -> Response:
    """Let everybody with a ticket in, also before the start."""
    return await _move_doors(call, Action.EVENT_OPEN_DOORS, doors.open_doors)


@endpoint(
    "PATCH /events/{event_id:uuid}/close-doors",
    needs=Permission.EVENTS,
    answers={200: Changed[EventView]},
    refuses=(Conflict,),
)
async def close_doors(call: Call) -> Response:
    """Keep everybody out until the doors are opened, also those who watch; their sessions go on."""
    return await _move_doors(call, Action.EVENT_CLOSE_DOORS, doors.close_doors)


async def _move_doors(call: Call, action: Action, rule: Rule) -> Response:
    async with call.act(action, call.id("event_id")) as deed:
        deed.event_id = deed.subject
        event = await rule(deed.db, call.id("event_id"), utc_now())
        figures = await event_figures.figures(deed.db, [event.id], call.alive_since, call.now)
        cursor = await revocation_feed.head(deed.db)
    return answers.changed(as_known(call, event, figures.get(event.id)), cursor)


async def _archive(call: Call, action: Action, rule: Rule) -> Response:
    async with call.act(action, call.id("event_id")) as deed:
        deed.event_id = deed.subject
        event = await rule(deed.db, call.id("event_id"), utc_now())
        figures = await event_figures.figures(deed.db, [event.id], call.alive_since, call.now)
    return answers.data(as_known(call, event, figures.get(event.id)))


def _confirmed_title(call: Call) -> str:
    """Read the title from its header, which holds ASCII only. Raise MalformedRequest."""
    try:
        title = unquote(call.request.headers.get(CONFIRMATION, ""), errors="strict")
    except UnicodeDecodeError:
        title = ""
    if not title:
        raise MalformedRequest(f"Confirm this with the event's title, percent-encoded, in the header {CONFIRMATION}.")
    return title


def as_known(call: Call, event: Event, figures: event_figures.EventFigures | None = None) -> EventView:
    """Show an event that was changed: how it stands is told without a look at its stream."""
    return event_view(event, figures, call.app.probe.remembered_status(event, utc_now()))


async def _troubled(db: AsyncSession, found: Sequence[Event]) -> dict[str, TroubleOfEvent]:
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
    """Show an event; without a status, of a look at its stream, it is left open how it stands."""
    found = figures or event_figures.EventFigures()
    made_here = {
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
    names = EventView.model_fields.keys() - made_here
    return EventView(
        **{name: getattr(event, name) for name in names},
        has_origin_header=origins.shown(event)["header"],
        has_origin_query=origins.shown(event)["query"],
        uploaded_poster=posters.address(event),
        tickets=found.counts.total,
        redeemed=found.counts.ever_redeemed,
        watching=found.watching,
        standing=standing(event, status, utc_now()) if status else None,
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
