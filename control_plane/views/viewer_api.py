"""The viewer API: from a code to a playing session. The published paths say `tokens` where we say ticket."""

from typing import Any

from starlette.responses import JSONResponse, Response

from authz_sidecar.contract.playback_token import Claims, TokenRefused, mint, stream_prefix
from control_plane import events, sessions, tickets
from control_plane.codes import parse_code
from control_plane.models import Event, Ticket
from control_plane.refusals import (
    MalformedRequest,
    NoSession,
    NotFound,
    Refusal,
    TokenUnusable,
    UnknownCode,
)
from control_plane.schemas import utc_now
from control_plane.sessions import Device, Grant
from control_plane.state import Request, Services
from control_plane.views import errors
from control_plane.views.requests import bearer, client_address, is_secure, json_body, own_origin, services

RESUME_COOKIE = "sg_resume"
PLAYBACK_COOKIE = "sg_playback"


async def validate(request: Request) -> Response:
    """Redeem a code. Only guesses count against the limits."""
    app, address = services(request), client_address(request)
    await app.limits.check_guesser(address)
    try:
        grant = await _redeem(request, app)
    except (MalformedRequest, UnknownCode):
        await app.limits.count_guess(address)
        raise
    return _granted(request, grant)


async def _redeem(request: Request, app: Services) -> Grant:
    body = await json_body(request)
    code, takeover = parse_code(body.get("code")), body.get("takeover", False)
    if not isinstance(takeover, bool):
        raise MalformedRequest("takeover is true or false.")
    async with app.database.write() as db:
        return await sessions.redeem(db, code, _device(request), app.rules, utc_now(), takeover=takeover)


async def resume(request: Request) -> Response:
    """Go on after a reload; a refusal takes the cookies away."""
    app = services(request)
    try:
        async with app.database.write() as db:
            grant = await sessions.resume(db, _device(request), app.rules, utc_now())
    except Refusal as refusal:
        response = await errors.refused(request, refusal)
        if not isinstance(refusal, NoSession):
            response.delete_cookie(RESUME_COOKIE, path="/api/")
        return response
    return _granted(request, grant)


async def refresh(request: Request) -> Response:
    app = services(request)
    claims = claims_of(app, bearer(request))
    await app.limits.count_refresh(claims.sid or "")
    async with app.database.write() as db:
        fresh = await sessions.refresh(db, claims, app.rules, utc_now())
    response = JSONResponse(_token_body(app, fresh))
    _set_playback_cookie(request, response, fresh)
    return response


async def heartbeat(request: Request) -> Response:
    app = services(request)
    claims = claims_of(app, bearer(request))
    async with app.database.write() as db:
        await sessions.heartbeat(db, claims, utc_now())
    return JSONResponse({"ok": True})


async def release(request: Request) -> Response:
    """End the session; the token comes in the header, or as the body of a beacon. Idempotent."""
    app = services(request)
    claims = claims_of(app, bearer(request) or (await request.body()).decode("latin-1").strip())
    async with app.database.write() as db:
        await sessions.release(db, claims, utc_now())
    return JSONResponse({"released": True})


async def event_status(request: Request) -> Response:
    """Tell the holder of one of its codes whether the event has begun."""
    app, address, now = services(request), client_address(request), utc_now()
    await app.limits.check_guesser(address)
    try:
        ticket, event = await _look_up(request, app)
    except (MalformedRequest, UnknownCode, NotFound):
        await app.limits.count_guess(address)
        raise
    tickets.check_admission(ticket, event, now)
    return JSONResponse(
        {
            "eventId": event.id,
            "status": events.status_by_clock(event, now),
            "startsAt": event.starts_at.isoformat(),
            "endsAt": event.ends_at.isoformat(),
        }
    )


async def _look_up(request: Request, app: Services) -> tuple[Ticket, Event]:
    code = parse_code(request.query_params.get("code"))
    async with app.database.read() as db:
        ticket, event = await tickets.find_by_code(db, code)
    if event.id != str(request.path_params["event_id"]):
        raise NotFound
    return ticket, event


def _device(request: Request) -> Device:
    user_agent, secret = request.headers.get("user-agent", ""), request.cookies.get(RESUME_COOKIE)
    return Device(client_address(request), user_agent, secret)


def claims_of(app: Services, token: str | None) -> Claims:
    """Return the claims of a session's token, expired or not; raise TokenUnusable."""
    try:
        claims = app.keys.verify(token or "", utc_now().timestamp())
    except TokenRefused:
        raise TokenUnusable from None
    if claims.sid is None:
        raise TokenUnusable
    return claims


def _granted(request: Request, grant: Grant) -> Response:
    app = services(request)
    response = JSONResponse(
        {
            "event": _event_body(grant.event),
            **_token_body(app, grant.claims),
            "playbackBaseUrl": app.settings.hls_server_base_url or own_origin(request),
            "streamPath": f"{stream_prefix(grant.event.id)}stream.m3u8",
            "expiresAt": grant.ticket.expires_at.isoformat(),
        }
    )
    _set_playback_cookie(request, response, grant.claims)
    response.set_cookie(
        RESUME_COOKIE,
        grant.resume_secret,
        path="/api/",
        secure=is_secure(request),
        httponly=True,
        samesite="strict",
    )
    return response


def _event_body(event: Event) -> dict[str, Any]:
    return {
        "id": event.id,
        "title": event.title,
        "description": event.description,
        "startsAt": event.starts_at.isoformat(),
        "endsAt": event.ends_at.isoformat(),
        "posterUrl": event.poster_url,
        "isLive": events.status_by_clock(event, utc_now()) == "live",
    }


def _token_body(app: Services, claims: Claims) -> dict[str, Any]:
    lasts = claims.exp - int(utc_now().timestamp())
    return {"playbackToken": mint(claims, app.ring), "tokenExpiresIn": max(0, lasts)}


def _set_playback_cookie(request: Request, response: Response, claims: Claims) -> None:
    """Let players play that can send no header: this browser, and only below the event's own stream folder."""
    response.set_cookie(
        PLAYBACK_COOKIE,
        mint(claims, services(request).ring),
        max_age=max(0, claims.exp - int(utc_now().timestamp())),
        path=claims.sp,
        secure=is_secure(request),
        httponly=True,
        samesite="lax",
    )
