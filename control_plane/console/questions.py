"""Changes that ask for confirmation: GET shows the consequences, POST makes the change. No JavaScript is needed."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import Response

from control_plane.access.audited_change import Action
from control_plane.api.events import event_view
from control_plane.api.tickets import ticket_view
from control_plane.console.frame import (
    HOME,
    Page,
    alive_since,
    audited_action,
    console_page,
    local_path,
    redirect,
    render,
)
from control_plane.errors import Conflict
from control_plane.events import doors, events
from control_plane.lifecycle import revocation
from control_plane.services import Request
from control_plane.tickets import event_figures, tickets
from control_plane.web import forms
from control_plane.web.errors import status_of
from control_plane.web.requests import services

Rule = Callable[[AsyncSession, str, datetime], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Confirmation:
    """A question, the consequences, the rule that makes the change, and the message shown afterwards (frame.DONE)."""

    title: str
    consequences: str
    button: str
    rule: Rule
    action: Action
    done: str
    is_harmful: bool = False


OPEN_DOORS: Final = Confirmation(
    "Open the doors?",
    "Everybody who has a ticket can watch from now on, even before the event starts. "
    "Playback starts automatically for viewers who are waiting.",
    "Open the doors",
    doors.open_doors,
    Action.EVENT_OPEN_DOORS,
    "doors-open",
)
CLOSE_DOORS: Final = Confirmation(
    "Close the doors?",
    "Nobody can watch until you open the doors again. "
    "Viewers who are watching return to the waiting page at once and keep their place.",
    "Close the doors",
    doors.close_doors,
    Action.EVENT_CLOSE_DOORS,
    "doors-closed",
    is_harmful=True,
)
DEACTIVATE: Final = Confirmation(
    "Deactivate this event?",
    "Nobody can watch it any more, and everybody who is watching is cut off at once. You can reactivate it later.",
    "Deactivate event",
    revocation.deactivate,
    Action.EVENT_DEACTIVATE,
    "deactivated",
    is_harmful=True,
)
REACTIVATE: Final = Confirmation(
    "Reactivate this event?",
    "Its codes work again, except revoked and expired ones. Viewers who were cut off have to enter their code again.",
    "Reactivate event",
    revocation.reactivate,
    Action.EVENT_REACTIVATE,
    "reactivated",
)
REVOKE: Final = Confirmation(
    "Revoke this ticket?",
    "Its code stops working, and whoever is watching with it is cut off at once. You can un-revoke it later.",
    "Revoke ticket",
    revocation.revoke,
    Action.TICKET_REVOKE,
    "revoked",
    is_harmful=True,
)
UNREVOKE: Final = Confirmation(
    "Un-revoke this ticket?",
    "Its code works again. A viewer who was cut off has to enter it again.",
    "Un-revoke ticket",
    revocation.unrevoke,
    Action.TICKET_UNREVOKE,
    "unrevoked",
)


def about_event(question: Confirmation) -> Page:
    @console_page
    async def page(request: Request) -> Response:
        async with services(request).database.read() as db:
            event = await events.find(db, str(request.path_params["event_id"]))
            figures = await event_figures.figures(db, [event.id], alive_since(request))
        subject = {"event": event_view(event, figures.get(event.id)), "ticket": None}
        return await _confirm_or_change(request, question, event.id, f"{HOME}/events/{event.id}", subject)

    return page


def about_ticket(question: Confirmation) -> Page:
    @console_page
    async def page(request: Request) -> Response:
        async with services(request).database.read() as db:
            ticket = await tickets.find(db, str(request.path_params["ticket_id"]))
            event = await tickets.event_of(db, ticket)
            watching = await tickets.watching(db, [ticket.id], alive_since(request))
        view = ticket_view(ticket, watching.get(ticket.id, 0))
        subject = {"event": event_view(event), "ticket": view}
        return await _confirm_or_change(request, question, ticket.id, f"{HOME}/events/{event.id}", subject)

    return page


async def _confirm_or_change(
    request: Request, question: Confirmation, subject_id: str, parent: str, subject: dict[str, Any]
) -> Response:
    """Show the question (GET), or make the change and redirect back (POST); show the refusal if a rule forbids it."""
    if request.method != "POST":
        back = local_path(request.query_params.get("back"), parent)
        return render(request, "confirm.html", question=question, back=back, **subject)
    back = local_path((await forms.read_form(request)).get("back"), parent)
    try:
        async with audited_action(request, question.action, subject_id) as change:
            change.event_id = subject["event"].id
            change.ticket_id = subject["ticket"].id if subject["ticket"] else None
            await question.rule(change.db, subject_id, change.now)
    except Conflict as refusal:
        values = subject | {"question": question, "back": back, "trouble": str(refusal)}
        return render(request, "confirm.html", status_of(refusal), **values)
    return redirect(back, done=question.done)
