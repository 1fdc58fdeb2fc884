"""The pages about tickets: generate codes, and show a batch of them for distribution."""

from datetime import UTC, datetime
from typing import Final

from pydantic import ValidationError
from starlette.responses import Response

from control_plane.access.audited_change import Action
from control_plane.clock import utc_now
from control_plane.console import fields
from control_plane.console.events import address_of, event_id_of, event_page
from control_plane.console.fields import SubmittedForm
from control_plane.console.frame import (
    audited_action,
    console_page,
    redirect,
    render,
)
from control_plane.events import events
from control_plane.services import Request
from control_plane.tickets import ticket_search, tickets
from control_plane.tickets.tickets import TicketFilter
from control_plane.web import forms
from control_plane.web.requests import own_origin, services

_BATCH: Final = "%Y%m%dT%H%M%S.%fZ"  # in URLs: the creation time shared by the tickets of a batch
_LARGEST_BATCH: Final = 1000


@console_page
async def generate_codes(request: Request) -> Response:
    typed = await forms.read_form(request)
    try:
        order = fields.ticket_order(typed)
    except ValidationError as error:
        return await event_page(request, SubmittedForm(typed, fields.messages(error)), 422)
    async with audited_action(request, Action.TICKET_GENERATE) as change:
        event = await events.find(change.db, event_id_of(request))
        generated = await tickets.generate(change.db, event, order.count, change.now, order.label)
        change.subject = change.event_id = event.id
        change.detail = {"count": order.count}
    return redirect(f"{address_of(event)}/codes", batch=f"{generated[0].created_at:{_BATCH}}")


@console_page
async def show_codes(request: Request) -> Response:
    """Show the codes of one batch for distribution. The codes are in the page, never in its URL."""
    batch = _batch(request)
    async with services(request).database.read() as db:
        event = await events.find(db, event_id_of(request))
        ticket_filter = TicketFilter(event.id, created_at=batch)
        made = (await ticket_search.page(db, ticket_filter, utc_now(), 0, _LARGEST_BATCH)).tickets if batch else []
    if not made:
        return redirect(address_of(event))
    origin = services(request).settings.platform_app_url or own_origin(request)  # the viewers', not the admin's
    return render(request, "codes.html", event=event, codes=[ticket.code for ticket in made], origin=origin, made=made)


def _batch(request: Request) -> datetime | None:
    try:
        return datetime.strptime(request.query_params.get("batch", ""), _BATCH).replace(tzinfo=UTC)
    except ValueError:
        return None
