"""The pages about events: the list, one event with its tickets, a new one, and the test of its stream."""

from pydantic import ValidationError
from starlette.responses import Response

from control_plane.access.audited_change import Action
from control_plane.api.events import event_view
from control_plane.api.streams import STREAM_STATES, stream_test_view
from control_plane.api.tickets import read_list
from control_plane.clock import utc_now
from control_plane.console import fields
from control_plane.console.fields import SubmittedForm
from control_plane.console.frame import (
    HOME,
    alive_since,
    audited_action,
    console_page,
    redirect,
    render,
)
from control_plane.errors import FieldRefused
from control_plane.events import doors, events, posters
from control_plane.lifecycle import event_changes, event_trouble
from control_plane.schemas import Paging
from control_plane.services import Request
from control_plane.streams import origins
from control_plane.tables import Event
from control_plane.tickets import event_figures
from control_plane.tickets.tickets import STATUSES, TicketFilter
from control_plane.web import forms
from control_plane.web.requests import services


@console_page
async def list_events(request: Request) -> Response:
    paging = _paging(request)
    async with services(request).database.read() as db:
        found, total = await events.page(db, paging.offset, paging.limit)
        figures = await event_figures.figures(db, [event.id for event in found], alive_since(request))
        troubled = await event_trouble.of_events(db, [event.id for event in found])
    statuses = await services(request).probe.statuses(found, utc_now())
    rows = [event_view(event, figures.get(event.id), statuses[event.id]) for event in found]
    return render(request, "events.html", rows=rows, troubled=troubled, pages=_pages(paging, total))


@console_page
async def new_event(request: Request) -> Response:
    return _event_form(request, SubmittedForm(fields.EVENT_DEFAULTS))


@console_page
async def create_event(request: Request) -> Response:
    typed = await forms.read_form(request)
    try:
        draft = fields.event_draft(typed)
        async with audited_action(request, Action.EVENT_CREATE) as change:
            event = await event_changes.create_event(
                change.db, draft, change.now, services(request).settings.allowed_places
            )
            change.subject = change.event_id = event.id
    except ValidationError as error:
        return _event_form(request, SubmittedForm(typed, fields.messages(error)), 422)
    except FieldRefused as refusal:
        return _event_form(request, SubmittedForm(typed, {refusal.field: str(refusal)}), 422)
    return redirect(address_of(event), done="created")


@console_page
async def show_event(request: Request) -> Response:
    return await event_page(request, SubmittedForm(fields.ORDER_DEFAULTS))


@console_page
async def show_to_origin(request: Request) -> Response:
    """Set the credentials for the event's own origin. The values are never sent back."""
    typed = await forms.read_form(request)
    try:
        async with audited_action(request, Action.EVENT_ORIGIN_CREDENTIALS) as change:
            event = await events.find(change.db, event_id_of(request), for_update=True)
            change.subject = change.event_id = event.id
            origins.set_credentials(change.db, event, typed.get("header", "").strip(), typed.get("query", "").strip())
            change.detail = dict(origins.credentials_set(event))
    except FieldRefused as refusal:
        wrong = SubmittedForm({}, {refusal.field: str(refusal)})
        return await event_page(request, SubmittedForm(fields.ORDER_DEFAULTS), 422, wrong)
    return redirect(address_of(event), done="origin-shown")


async def event_page(
    request: Request, order: SubmittedForm, status: int = 200, origin: SubmittedForm | None = None
) -> Response:
    ticket_filter, paging, now = _filter(request), _paging(request), utc_now()
    async with services(request).database.read() as db:
        event = await events.find(db, event_id_of(request))
        figures = await event_figures.figures(db, [event.id], alive_since(request))
        trouble = (await event_trouble.of_events(db, [event.id])).get(event.id)
        listed = await read_list(db, ticket_filter, paging, now, alive_since(request))
    view = event_view(event, figures.get(event.id), await services(request).probe.status(event, now))
    ticket_list = {"wanted": ticket_filter, "statuses": STATUSES, "tickets": listed.views}
    values = ticket_list | {
        "event": view,
        "pages": _pages(paging, listed.total),
        "is_held": doors.is_held(event, now),
        "expires_at": events.ticket_expiry(event),
        "stream_folder": _stream_folder(request, event),
        "stream_trouble": trouble,
        "poster_bytes": posters.MAX_BYTES,
    }
    return render(
        request,
        "event.html",
        status,
        order=order,
        origin=origin or SubmittedForm({}),
        note=listed.note,
        **values,
    )


@console_page
async def show_stream(request: Request) -> Response:
    """Inspect an event's stream and show the result. Reloading the page inspects it again."""
    async with services(request).database.read() as db:
        event = await events.find(db, event_id_of(request))
    found = stream_test_view(await services(request).probe.inspect(event, utc_now))
    return render(request, "stream.html", event=event, found=found, words=STREAM_STATES)


def _event_form(request: Request, form: SubmittedForm, status: int = 200) -> Response:
    hosts = services(request).settings.upstream_allowed_hosts
    return render(request, "event_form.html", status, form=form, labels=fields.EVENT_LABELS, hosts=hosts)


def _stream_folder(request: Request, event: Event) -> str:
    root = services(request).settings.stream_root
    return f"{root or 'STREAM_ROOT'}/{event.id}/"


def _filter(request: Request) -> TicketFilter:
    """Return the filter of the ticket list; an unknown status is ignored."""
    query = request.query_params
    status = next((known for known in STATUSES if known == query.get("status")), None)
    search = query.get("search", "").replace("\0", "").strip()  # PostgreSQL rejects NUL characters
    return TicketFilter(event_id_of(request), status, search or None)


def _paging(request: Request) -> Paging:
    try:
        return Paging.model_validate({"page": request.query_params.get("page", "1")})
    except ValidationError:
        return Paging()


def _pages(paging: Paging, total: int) -> dict[str, int]:
    return {"page": paging.page, "total": total, "last": max(1, -(-total // paging.limit))}


def event_id_of(request: Request) -> str:
    return str(request.path_params["event_id"])


def address_of(event: Event) -> str:
    return f"{HOME}/events/{event.id}"
