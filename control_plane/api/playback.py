"""The viewer API's playback sessions. The published paths say `tokens` for tickets."""

from typing import Final

from pydantic import ValidationError
from starlette.responses import JSONResponse, Response

from authz_sidecar.contract.playback_token import Claims, TokenRefused, mint, stream_prefix
from control_plane.access import audit
from control_plane.access.actors import Actor
from control_plane.api.viewer_records import ViewerAttempt, recording_refusals
from control_plane.clock import utc_now
from control_plane.codes import parse_code
from control_plane.errors import (
    EventUnavailable,
    MalformedRequest,
    NotFound,
    SessionOver,
    SessionTakenOver,
    TakenOverTooOften,
    TicketExpired,
    TicketInUse,
    TicketRevoked,
    TokenFinal,
    TokenUnusable,
    TooManyAttempts,
    UnknownCode,
)
from control_plane.events import doors, posters
from control_plane.schemas.viewer import (
    Alive,
    Granted,
    Redemption,
    Released,
    StatusQuery,
    StatusView,
    Token,
    WatchedEvent,
)
from control_plane.services import Request, Services
from control_plane.sessions import redeeming, sessions
from control_plane.sessions.sessions import Device, Grant
from control_plane.streams.event_status import Status
from control_plane.tables import Event, Ticket
from control_plane.tickets import tickets
from control_plane.web.answers import as_json
from control_plane.web.endpoints import Call, endpoint
from control_plane.web.requests import bearer, client_address, is_secure, parse, services, streams_origin

RESUME_COOKIE = "sg_resume"
PLAYBACK_COOKIE = "sg_playback"
NOT_ADMITTED: Final = (TicketRevoked, EventUnavailable, TicketExpired)


@endpoint(
    "POST /tokens/validate",
    permission=None,
    responses={200: Granted},
    refusals=(MalformedRequest, UnknownCode, *NOT_ADMITTED, TicketInUse, TakenOverTooOften, TooManyAttempts),
    documented_body=Redemption,
)
async def validate(call: Call) -> Response:
    """Redeem a code. Only invalid codes count against the limits."""
    request = call.request
    app, address = services(request), client_address(request)
    with recording_refusals(request, audit.REDEEM) as attempt:
        async with app.limits.guess(address, wrong=(MalformedRequest, UnknownCode)):
            grant = await _redeem(request, app, attempt)
    return granted(request, grant)


async def _redeem(request: Request, app: Services, attempt: ViewerAttempt) -> Grant:
    redemption = await _redemption(request)
    attempt.code = code = parse_code(redemption.code)
    async with app.database.write() as db:
        return await redeeming.redeem(db, code, device_of(request), app.rules, utc_now(), takeover=redemption.takeover)


async def _redemption(request: Request) -> Redemption:
    """Parse the body. Raise MalformedRequest with a sentence for the viewer."""
    try:
        return await parse(request, Redemption)
    except ValidationError as error:
        invalid = {item["loc"][0] for item in error.errors()}
    if "code" not in invalid:
        raise MalformedRequest("takeover must be true or false.")
    raise MalformedRequest


@endpoint(
    "POST /playback/refresh",
    permission=None,
    security_scheme="playbackToken",
    responses={200: Token},
    refusals=(TokenUnusable, *NOT_ADMITTED, TokenFinal, SessionOver, SessionTakenOver, TooManyAttempts),
)
async def refresh(call: Call) -> Response:
    """Return the next playback token of a session."""
    request = call.request
    app = services(request)
    with recording_refusals(request, audit.REFRESH) as attempt:
        claims = claims_of(app, bearer(request))
        attempt.with_token(claims)
        await app.limits.count_refresh(claims.sid or "")
        async with app.database.write() as db:
            grant = await sessions.refresh(db, claims, app.rules, utc_now(), Actor.viewer(client_address(request)))
    new_claims, is_held = grant.claims, doors.is_held(grant.event, utc_now())
    token = _mint(request, new_claims)
    response = JSONResponse(
        as_json(Token(playback_token=token, token_expires_in=_seconds_left(new_claims), is_held=is_held))
    )
    _set_playback_cookie(request, response, new_claims, token)
    return response


@endpoint(
    "POST /playback/heartbeat",
    permission=None,
    security_scheme="playbackToken",
    responses={200: Alive},
    refusals=(TokenUnusable, SessionOver, SessionTakenOver),
)
async def heartbeat(call: Call) -> Response:
    """Report that a session is still being watched."""
    request = call.request
    app = services(request)
    claims = claims_of(app, bearer(request))
    silent = await app.heartbeats.beat(claims, utc_now())
    return JSONResponse(as_json(Alive(ok=True, seconds_silent=silent)))


@endpoint(
    "POST /playback/release",
    permission=None,
    security_scheme="playbackToken",
    responses={200: Released},
    refusals=(TokenUnusable,),
    body_media_types=("text/plain",),
)
async def release(call: Call) -> Response:
    """End the session; the token is in the header, or in the body of a beacon. Idempotent."""
    request = call.request
    app = services(request)
    claims = claims_of(app, bearer(request) or (await request.body()).decode("latin-1").strip())
    async with app.database.write() as db:
        await sessions.release(db, claims, utc_now(), Actor.viewer(client_address(request)))
    return JSONResponse(as_json(Released(released=True)))


@endpoint(
    "GET /events/{event_id:uuid}/status",
    permission=None,
    responses={200: StatusView},
    refusals=(MalformedRequest, UnknownCode, TokenUnusable, *NOT_ADMITTED, TooManyAttempts),
    documented_query=StatusQuery,
)
async def event_status(call: Call) -> Response:
    """Return the status of an event, to a viewer with the session's token or a code."""
    request = call.request
    app, address, now = services(request), client_address(request), utc_now()
    with recording_refusals(request, audit.LOOK_UP) as attempt:
        async with app.limits.guess(address, wrong=(MalformedRequest, UnknownCode, NotFound)):
            ticket, event = await _look_up(request, app, attempt)
    tickets.check_admission(ticket, event, now)
    status = await app.probe.status(event, now)
    view = StatusView(event_id=event.id, status=status.value, starts_at=event.starts_at, ends_at=event.ends_at)
    return JSONResponse(as_json(view))


async def _look_up(request: Request, app: Services, attempt: ViewerAttempt) -> tuple[Ticket, Event]:
    if token := bearer(request):
        attempt.with_token(claims := claims_of(app, token))
        sessions.check_grace(claims, utc_now())
        code = claims.sub or ""
    else:
        attempt.code = code = parse_code(request.query_params.get("code"))
    async with app.database.read() as db:
        ticket, event = await tickets.find_by_code(db, code)
    if event.id != str(request.path_params["event_id"]):
        raise NotFound
    return ticket, event


def device_of(request: Request) -> Device:
    user_agent, secret = request.headers.get("user-agent", ""), request.cookies.get(RESUME_COOKIE)
    return Device(client_address(request), user_agent, secret)


def claims_of(app: Services, token: str | None) -> Claims:
    """Return the claims of a session's token, which may be expired. Raise TokenUnusable."""
    try:
        claims = app.verifier.verify(token or "")
    except TokenRefused:
        raise TokenUnusable from None
    if claims.sid is None:
        raise TokenUnusable
    return claims


def granted(request: Request, grant: Grant) -> Response:
    app, token, event = services(request), _mint(request, grant.claims), grant.event
    answer = Granted(
        event=WatchedEvent(
            id=event.id,
            title=event.title,
            description=event.description,
            starts_at=event.starts_at,
            ends_at=event.ends_at,
            poster_url=posters.shown(event),
            is_live=app.probe.cached_status(event, utc_now()) is Status.LIVE,
        ),
        playback_token=token,
        token_expires_in=_seconds_left(grant.claims),
        is_held=doors.is_held(event, utc_now()),
        playback_base_url=streams_origin(request),
        stream_path=f"{stream_prefix(event.id)}stream.m3u8",
        expires_at=grant.ticket.expires_at,
    )
    response = JSONResponse(as_json(answer))
    _set_playback_cookie(request, response, grant.claims, token)
    if grant.resume_secret:
        response.set_cookie(
            RESUME_COOKIE,
            grant.resume_secret,
            path="/api/",
            secure=is_secure(request),
            httponly=True,
            samesite="strict",
        )
    return response


def _mint(request: Request, claims: Claims) -> str:
    return mint(claims, services(request).ring)


def _seconds_left(claims: Claims) -> int:
    return max(0, claims.exp - int(utc_now().timestamp()))


def _set_playback_cookie(request: Request, response: Response, claims: Claims, token: str) -> None:
    """Set the cookie for players that cannot send a header; its path is the event's stream folder."""
    response.set_cookie(
        PLAYBACK_COOKIE,
        token,
        max_age=_seconds_left(claims),
        path=claims.sp,
        secure=is_secure(request),
        httponly=True,
        samesite="lax",
    )


ENDPOINTS = (validate, refresh, heartbeat, release, event_status)
