"""The admin API: events and their tickets, signing in and out."""

from starlette.responses import Response

from control_plane import accounts, events, revocation, revocation_feed, tickets
from control_plane.models import AdminUser, Event, Ticket
from control_plane.refusals import MalformedRequest, SignInFailed, SignInRequired
from control_plane.schemas import Credentials, EventDraft, EventView, TicketOrder, TicketView, utc_now
from control_plane.state import Request
from control_plane.tickets import STATUSES, TicketFilter
from control_plane.views import answers
from control_plane.views.requests import client_address, is_secure, parse, services

ADMIN_COOKIE = "sg_admin"


async def sign_in(request: Request, credentials: Credentials) -> str:
    """Return the secret of a new admin session. Raise SignInFailed, alike for every kind of wrong."""
    app = services(request)
    await app.limits.count_sign_in(client_address(request))
    async with app.database.read() as db:
        user = await accounts.find(db, credentials.username)
    if not await app.passwords.matches(credentials.password, user.password_hash if user else None) or user is None:
        raise SignInFailed
    async with app.database.write() as db:
        return await accounts.begin_session(db, user, utc_now())


def set_admin_cookie(request: Request, response: Response, secret: str) -> None:
    response.set_cookie(
        ADMIN_COOKIE,
        secret,
        max_age=accounts.SESSION_HOURS * 3600,
        secure=is_secure(request),
        httponly=True,
        samesite="strict",
    )


async def signed_in(request: Request) -> AdminUser:
    """Return who asks; raise SignInRequired."""
    app, secret = services(request), request.cookies.get(ADMIN_COOKIE)
    async with app.database.read() as db:
        user = await accounts.user_of_session(db, secret, utc_now()) if secret else None
    if user is None:
        raise SignInRequired
    return user


async def login(request: Request) -> Response:
    credentials = await parse(request, Credentials)
    secret = await sign_in(request, credentials)
    response = answers.data({"username": credentials.username})
    set_admin_cookie(request, response, secret)
    return response


async def logout(request: Request) -> Response:
    async with services(request).database.write() as db:
        await accounts.end_session(db, request.cookies.get(ADMIN_COOKIE, ""))
    response = Response(status_code=204)
    response.delete_cookie(ADMIN_COOKIE)
    return response


async def show_session(request: Request) -> Response:
    user = await signed_in(request)
    return answers.data({"username": user.username, "role": user.role})


async def list_events(request: Request) -> Response:
    await signed_in(request)
    paging = answers.paging(request)
    async with services(request).database.read() as db:
        found, total = await events.page(db, (paging.page - 1) * paging.limit, paging.limit)
        figures = await events.figures(db, [event.id for event in found])
    return answers.page([event_view(event, figures.get(event.id)) for event in found], paging, total)


async def create_event(request: Request) -> Response:
    await signed_in(request)
    draft = await parse(request, EventDraft)
    async with services(request).database.write() as db:
        event = await events.create(db, draft)
    return answers.data(answers.as_json(event_view(event)), 201)


async def show_event(request: Request) -> Response:
    await signed_in(request)
    async with services(request).database.read() as db:
        event = await events.find(db, _id(request, "event_id"))
        figures = await events.figures(db, [event.id])
    return answers.data(answers.as_json(event_view(event, figures.get(event.id))))


async def deactivate_event(request: Request) -> Response:
    await signed_in(request)
    async with services(request).database.write() as db:
        event = await revocation.deactivate(db, _id(request, "event_id"), utc_now())
        cursor = await revocation_feed.head(db)
    return answers.changed(answers.as_json(event_view(event)), cursor)


async def reactivate_event(request: Request) -> Response:
    await signed_in(request)
    async with services(request).database.write() as db:
        event = await revocation.reactivate(db, _id(request, "event_id"), utc_now())
        cursor = await revocation_feed.head(db)
    return answers.changed(answers.as_json(event_view(event)), cursor)


async def generate_tickets(request: Request) -> Response:
    await signed_in(request)
    order = await parse(request, TicketOrder)
    async with services(request).database.write() as db:
        event = await events.find(db, _id(request, "event_id"))
        made = await tickets.generate(db, event, order.count, order.label)
    return answers.data([answers.as_json(ticket_view(ticket)) for ticket in made], 201)


async def list_tickets(request: Request) -> Response:
    """List tickets, of one event where the path names it."""
    await signed_in(request)
    paging, now = answers.paging(request), utc_now()
    async with services(request).database.read() as db:
        if "event_id" in request.path_params:
            await events.find(db, _id(request, "event_id"))
        found, total = await tickets.page(db, _filter(request), now, (paging.page - 1) * paging.limit, paging.limit)
        watching = await tickets.live_sessions(db, [ticket.id for ticket in found])
    return answers.page([ticket_view(ticket, watching.get(ticket.id, 0)) for ticket in found], paging, total)


async def revoke_ticket(request: Request) -> Response:
    await signed_in(request)
    async with services(request).database.write() as db:
        ticket = await revocation.revoke(db, _id(request, "ticket_id"), utc_now())
        cursor = await revocation_feed.head(db)
    return answers.changed(answers.as_json(ticket_view(ticket)), cursor)


async def unrevoke_ticket(request: Request) -> Response:
    await signed_in(request)
    async with services(request).database.write() as db:
        ticket = await revocation.unrevoke(db, _id(request, "ticket_id"), utc_now())
        cursor = await revocation_feed.head(db)
    return answers.changed(answers.as_json(ticket_view(ticket)), cursor)


def event_view(event: Event, figures: events.EventFigures | None = None) -> EventView:
    counts = figures or events.EventFigures()
    names = EventView.model_fields.keys() - {"tickets", "redeemed", "watching"}
    return EventView(
        **{name: getattr(event, name) for name in names},
        tickets=counts.tickets,
        redeemed=counts.redeemed,
        watching=counts.watching,
    )


def ticket_view(ticket: Ticket, watching: int = 0) -> TicketView:
    names = TicketView.model_fields.keys() - {"status", "watching"}
    values = {name: getattr(ticket, name) for name in names}
    return TicketView(**values, status=tickets.status_of(ticket, utc_now()), watching=watching)


def _filter(request: Request) -> TicketFilter:
    query, path = request.query_params, request.path_params
    status = query.get("status")
    if status is not None and status not in STATUSES:
        raise MalformedRequest(f"status is one of {', '.join(STATUSES)}.")
    event_id = str(path["event_id"]) if "event_id" in path else query.get("eventId")
    return TicketFilter(event_id, status, query.get("search") or None)


def _id(request: Request, name: str) -> str:
    return str(request.path_params[name])
