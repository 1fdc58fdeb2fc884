"""The admin pages: sign in, create an event, generate codes, revoke tickets. Plain forms that work without JavaScript.

They call the same functions as the JSON API and never have rules of their own. A POST redirects or shows the errors.
"""

from datetime import UTC, datetime
from typing import Any, Final

from pydantic import ValidationError
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from control_plane.access.audited_change import Action
from control_plane.accounts import accounts
from control_plane.api.events import event_view
from control_plane.api.sign_in import admit
from control_plane.api.sign_in import sign_in as sign_in_with
from control_plane.api.sign_in import sign_out as signed_out
from control_plane.api.streams import STREAM_STATES, stream_test_view
from control_plane.api.tickets import search_note, ticket_view
from control_plane.clock import utc_now
from control_plane.console import fields as admin_forms
from control_plane.console import import_codes as admin_import
from control_plane.console import preview as admin_preview
from control_plane.console import questions as ask
from control_plane.console import setup as admin_setup
from control_plane.console.fields import SubmittedForm
from control_plane.console.frame import (
    HOME,
    SIGN_IN,
    alive_since,
    audited_action,
    console_page,
    local_path,
    no_such_page,
    redirect,
    refusals_shown,
    render,
)
from control_plane.errors import FieldRefused, Refusal, SignInFailed, SignInRequired, TooBusy, TooManyAttempts
from control_plane.events import doors, events, posters
from control_plane.lifecycle import event_changes, event_trouble
from control_plane.models import Event
from control_plane.schemas import Credentials, Paging, TicketView
from control_plane.services import Request
from control_plane.streams import origins
from control_plane.tickets import event_figures, ticket_search, tickets
from control_plane.tickets.tickets import STATUSES, TicketFilter
from control_plane.web import forms
from control_plane.web.authentication import set_admin_cookie, signed_in
from control_plane.web.errors import status_of
from control_plane.web.requests import own_origin, services

_BATCH: Final = "%Y%m%dT%H%M%S.%fZ"  # in URLs: the creation time shared by the tickets of a batch
_LARGEST_BATCH: Final = 1000


async def show_sign_in(request: Request) -> Response:
    onward = local_path(request.query_params.get("next"))
    try:
        await signed_in(request)
    except SignInRequired:
        async with services(request).database.read() as db:
            is_first_start = not await accounts.has_any(db)
        return render(request, "login.html", onward=onward, username="admin", is_first_start=is_first_start)
    return redirect(onward)


@refusals_shown
async def sign_in(request: Request) -> Response:
    try:
        await admit(request)
    except TooManyAttempts as refusal:
        return _sign_in_again(request, {}, refusal)
    typed = await forms.read_form(request)
    onward = local_path(typed.get("next"))
    try:
        credentials = Credentials.model_validate({name: typed.get(name, "") for name in Credentials.model_fields})
        secret, _who = await sign_in_with(request, credentials)
    except ValidationError:
        return _sign_in_again(request, typed, SignInFailed())
    except (SignInFailed, TooBusy) as refusal:
        return _sign_in_again(request, typed, refusal)
    response = redirect(onward)
    set_admin_cookie(request, response, secret)
    return response


async def sign_out(request: Request) -> Response:
    return await signed_out(request, redirect(SIGN_IN, done="signed-out"))


@console_page
async def list_events(request: Request) -> Response:
    paging = _paging(request)
    async with services(request).database.read() as db:
        found, total = await events.page(db, (paging.page - 1) * paging.limit, paging.limit)
        figures = await event_figures.figures(db, [event.id for event in found], alive_since(request))
        troubled = await event_trouble.of_events(db, [event.id for event in found])
    statuses = await services(request).probe.statuses(found, utc_now())
    rows = [event_view(event, figures.get(event.id), statuses[event.id]) for event in found]
    return render(request, "events.html", rows=rows, troubled=troubled, pages=_pages(paging, total))


@console_page
async def new_event(request: Request) -> Response:
    return _event_form(request, SubmittedForm(admin_forms.EVENT_DEFAULTS))


@console_page
async def create_event(request: Request) -> Response:
    typed = await forms.read_form(request)
    try:
        draft = admin_forms.event_draft(typed)
        async with audited_action(request, Action.EVENT_CREATE) as change:
            event = await event_changes.create_event(change.db, draft, services(request).settings.allowed_places)
            change.subject = change.event_id = event.id
    except ValidationError as error:
        return _event_form(request, SubmittedForm(typed, admin_forms.messages(error)), 422)
    except FieldRefused as refusal:
        return _event_form(request, SubmittedForm(typed, {refusal.field: str(refusal)}), 422)
    return redirect(_address(event), done="created")


@console_page
async def show_event(request: Request) -> Response:
    return await _event_page(request, SubmittedForm(admin_forms.ORDER_DEFAULTS))


@console_page
async def generate_codes(request: Request) -> Response:
    typed = await forms.read_form(request)
    try:
        order = admin_forms.ticket_order(typed)
    except ValidationError as error:
        return await _event_page(request, SubmittedForm(typed, admin_forms.messages(error)), 422)
    async with audited_action(request, Action.TICKET_GENERATE) as change:
        event = await events.find(change.db, _event_id(request))
        generated = await tickets.generate(change.db, event, order.count, order.label)
        change.subject = change.event_id = event.id
        change.detail = {"count": order.count}
    return redirect(f"{_address(event)}/codes", batch=f"{generated[0].created_at:{_BATCH}}")


@console_page
async def show_codes(request: Request) -> Response:
    """Show the codes of one batch for distribution. The codes are in the page, never in its URL."""
    batch = _batch(request)
    async with services(request).database.read() as db:
        event = await events.find(db, _event_id(request))
        ticket_filter = TicketFilter(event.id, created_at=batch)
        made = (await ticket_search.page(db, ticket_filter, utc_now(), 0, _LARGEST_BATCH)).tickets if batch else []
    if not made:
        return redirect(_address(event))
    origin = services(request).settings.platform_app_url or own_origin(request)  # the viewers', not the admin's
    return render(request, "codes.html", event=event, codes=[ticket.code for ticket in made], origin=origin, made=made)


@console_page
async def show_to_origin(request: Request) -> Response:
    """Set the credentials for the event's own origin. The values are never sent back."""
    typed = await forms.read_form(request)
    try:
        async with audited_action(request, Action.EVENT_ORIGIN_CREDENTIALS) as change:
            event = await events.find(change.db, _event_id(request), for_update=True)
            change.subject = change.event_id = event.id
            origins.set_credentials(change.db, event, typed.get("header", "").strip(), typed.get("query", "").strip())
            change.detail = dict(origins.credentials_set(event))
    except FieldRefused as refusal:
        wrong = SubmittedForm({}, {refusal.field: str(refusal)})
        return await _event_page(request, SubmittedForm(admin_forms.ORDER_DEFAULTS), 422, wrong)
    return redirect(_address(event), done="origin-shown")


async def _event_page(
    request: Request, order: SubmittedForm, status: int = 200, origin: SubmittedForm | None = None
) -> Response:
    ticket_filter, paging, now = _filter(request), _paging(request), utc_now()
    async with services(request).database.read() as db:
        event = await events.find(db, _event_id(request))
        figures = await event_figures.figures(db, [event.id], alive_since(request))
        trouble = (await event_trouble.of_events(db, [event.id])).get(event.id)
        found = await ticket_search.page(db, ticket_filter, now, (paging.page - 1) * paging.limit, paging.limit)
        watching = await tickets.watching(db, [ticket.id for ticket in found.tickets], alive_since(request))
    shown = [ticket_view(ticket, watching.get(ticket.id, 0)) for ticket in found.tickets]
    view = event_view(event, figures.get(event.id), await services(request).probe.status(event, now))
    values = {"event": view} | _ticket_list(ticket_filter, shown, _pages(paging, found.total))
    values |= {
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
        note=search_note(found),
        **values,
    )


@console_page
async def show_stream(request: Request) -> Response:
    """Inspect an event's stream and show the result. Reloading the page inspects it again."""
    async with services(request).database.read() as db:
        event = await events.find(db, _event_id(request))
    found = stream_test_view(await services(request).probe.inspect(event, utc_now))
    return render(request, "stream.html", event=event, found=found, words=STREAM_STATES)


def _ticket_list(ticket_filter: TicketFilter, shown: list[TicketView], pages: dict[str, int]) -> dict[str, Any]:
    return {"wanted": ticket_filter, "statuses": STATUSES, "tickets": shown, "pages": pages}


def _event_form(request: Request, form: SubmittedForm, status: int = 200) -> Response:
    hosts = services(request).settings.upstream_allowed_hosts
    return render(request, "event_form.html", status, form=form, labels=admin_forms.EVENT_LABELS, hosts=hosts)


def _sign_in_again(request: Request, typed: dict[str, str], refusal: Refusal) -> Response:
    values = {"onward": local_path(typed.get("next")), "username": typed.get("username", ""), "trouble": str(refusal)}
    response = render(request, "login.html", status_of(refusal), **values)
    if isinstance(refusal, TooManyAttempts | TooBusy):
        response.headers["Retry-After"] = str(refusal.retry_after)
    return response


def _stream_folder(request: Request, event: Event) -> str:
    root = services(request).settings.stream_root
    return f"{root or 'STREAM_ROOT'}/{event.id}/"


def _filter(request: Request) -> TicketFilter:
    """Return the filter of the ticket list; an unknown status is ignored."""
    query = request.query_params
    status = next((known for known in STATUSES if known == query.get("status")), None)
    search = query.get("search", "").replace("\0", "").strip()  # PostgreSQL rejects NUL characters
    return TicketFilter(_event_id(request), status, search or None)


def _paging(request: Request) -> Paging:
    try:
        return Paging.model_validate({"page": request.query_params.get("page", "1")})
    except ValidationError:
        return Paging()


def _pages(paging: Paging, total: int) -> dict[str, int]:
    return {"page": paging.page, "total": total, "last": max(1, -(-total // paging.limit))}


def _batch(request: Request) -> datetime | None:
    try:
        return datetime.strptime(request.query_params.get("batch", ""), _BATCH).replace(tzinfo=UTC)
    except ValueError:
        return None


def _event_id(request: Request) -> str:
    return str(request.path_params["event_id"])


def _address(event: Event) -> str:
    return f"{HOME}/events/{event.id}"


_EVENT: Final = "/events/{event_id:uuid}"
_TICKET: Final = "/tickets/{ticket_id:uuid}"
_ASK: Final = ["GET", "POST"]
ROUTES: Final[list[BaseRoute]] = [
    Route("/", list_events),
    Route("/login", show_sign_in),
    Route("/login", sign_in, methods=["POST"]),
    Route("/logout", sign_out, methods=["POST"]),
    Route("/setup", admin_setup.show),
    Route("/setup", admin_setup.set_up, methods=["POST"]),
    Route("/events", list_events),
    Route("/events/new", new_event),
    Route("/events/new", create_event, methods=["POST"]),
    Route(_EVENT, show_event),
    Route(f"{_EVENT}/origin-credentials", show_to_origin, methods=["POST"]),
    Route(f"{_EVENT}/codes", show_codes),
    Route(f"{_EVENT}/codes", generate_codes, methods=["POST"]),
    *admin_import.ROUTES,
    Route(f"{_EVENT}/stream", show_stream),
    Route(f"{_EVENT}/deactivate", ask.about_event(ask.DEACTIVATE), methods=_ASK),
    Route(f"{_EVENT}/reactivate", ask.about_event(ask.REACTIVATE), methods=_ASK),
    Route(f"{_EVENT}/open-doors", ask.about_event(ask.OPEN_DOORS), methods=_ASK),
    Route(f"{_EVENT}/close-doors", ask.about_event(ask.CLOSE_DOORS), methods=_ASK),
    Route(f"{_EVENT}/preview", admin_preview.show),
    Route(f"{_TICKET}/revoke", ask.about_ticket(ask.REVOKE), methods=_ASK),
    Route(f"{_TICKET}/unrevoke", ask.about_ticket(ask.UNREVOKE), methods=_ASK),
    Route("/{path:path}", no_such_page, methods=["GET", "POST"]),
]
