"""The admin API. Every answer is `{"data": ...}`; lists add `pagination`."""

from typing import Any

from pydantic import BaseModel
from starlette.responses import JSONResponse, Response

from control_plane import accounts, events, revocation, tickets
from control_plane.models import AdminUser, Event, Ticket
from control_plane.refusals import MalformedRequest, SignInFailed, SignInRequired
from control_plane.schemas import Credentials, EventDraft, EventView, Paging, TicketOrder, TicketView, utc_now
from control_plane.state import Request
from control_plane.tickets import STATUSES, TicketFilter
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
    response = _data({"username": credentials.username})
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
    return _data({"username": user.username, "role": user.role})


async def list_events(request: Request) -> Response:
    await signed_in(request)
    paging = _paging(request)
    async with services(request).database.read() as db:
        found, total = await events.page(db, (paging.page - 1) * paging.limit, paging.limit)
        figures = await events.figures(db, [event.id for event in found])
    return _page([event_view(event, figures.get(event.id)) for event in found], paging, total)


async def create_event(request: Request) -> Response:
    await signed_in(request)
    draft = await parse(request, EventDraft)
    async with services(request).database.write() as db:
        event = await events.create(db, draft)
    return _data(_json(event_view(event)), 201)


async def show_event(request: Request) -> Response:
    await signed_in(request)
    async with services(request).database.read() as db:
        event = await events.find(db, _id(request, "event_id"))
        figures = await events.figures(db, [event.id])
    return _data(_json(event_view(event, figures.get(event.id))))


async def deactivate_event(request: Request) -> Response:
    await signed_in(request)
    async with services(request).database.write() as db:
        event = await revocation.deactivate(db, _id(request, "event_id"), utc_now())
    return _data(_json(event_view(event)))


async def reactivate_event(request: Request) -> Response:
    await signed_in(request)
    async with services(request).database.write() as db:
        event = await revocation.reactivate(db, _id(request, "event_id"), utc_now())
    return _data(_json(event_view(event)))


async def generate_tickets(request: Request) -> Response:
    await signed_in(request)
    order = await parse(request, TicketOrder)
    async with services(request).database.write() as db:
        event = await events.find(db, _id(request, "event_id"))
        made = await tickets.generate(db, event, order.count, order.label)
    return _data([_json(ticket_view(ticket)) for ticket in made], 201)


async def list_tickets(request: Request) -> Response:
    """List tickets, of one event where the path names it."""
    await signed_in(request)
    paging, now = _paging(request), utc_now()
    async with services(request).database.read() as db:
        if "event_id" in request.path_params:
            await events.find(db, _id(request, "event_id"))
        found, total = await tickets.page(db, _filter(request), now, (paging.page - 1) * paging.limit, paging.limit)
        watching = await tickets.live_sessions(db, [ticket.id for ticket in found])
    return _page([ticket_view(ticket, watching.get(ticket.id, 0)) for ticket in found], paging, total)


async def revoke_ticket(request: Request) -> Response:
    await signed_in(request)
    async with services(request).database.write() as db:
        ticket = await revocation.revoke(db, _id(request, "ticket_id"), utc_now())
    return _data(_json(ticket_view(ticket)))


async def unrevoke_ticket(request: Request) -> Response:
    await signed_in(request)
    async with services(request).database.write() as db:
        ticket = await revocation.unrevoke(db, _id(request, "ticket_id"), utc_now())
    return _data(_json(ticket_view(ticket)))


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


def _paging(request: Request) -> Paging:
    return Paging.model_validate(
        {name: request.query_params[name] for name in ("page", "limit") if name in request.query_params}
    )


def _id(request: Request, name: str) -> str:
    return str(request.path_params[name])


def _json(view: BaseModel) -> dict[str, Any]:
    return view.model_dump(mode="json", by_alias=True)


def _data(data: Any, status: int = 200) -> JSONResponse:
    return JSONResponse({"data": data}, status)


def _page(rows: list[Any], paging: Paging, total: int) -> JSONResponse:
    pages = -(-total // paging.limit)
    pagination = {"page": paging.page, "limit": paging.limit, "total": total, "totalPages": pages}
    return JSONResponse({"data": [_json(row) for row in rows], "pagination": pagination})
