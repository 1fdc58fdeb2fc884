"""Watch on TV without typing a link: the TV shows a code, and a phone approves it."""

from datetime import datetime

from pydantic import ValidationError
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import JSONResponse, Response

from control_plane.access import audit
from control_plane.api.playback import NOT_ADMITTED, claims_of, device_of, granted
from control_plane.api.tv import qr_code
from control_plane.api.viewer_records import record_done, recording_refusals
from control_plane.clock import utc_now
from control_plane.codes import NO_CODE, parse_code
from control_plane.errors import (
    MalformedRequest,
    SessionOver,
    SessionTakenOver,
    TakenOverTooOften,
    TicketInUse,
    TokenUnusable,
    TooManyAttempts,
    TvCodeUnusable,
    UnknownCode,
)
from control_plane.schemas.viewer import (
    Granted,
    TvApproval,
    TvApproved,
    TvCodeShown,
    TvPageApproval,
    TvPlan,
    TvPoll,
    TvWaiting,
)
from control_plane.services import Request
from control_plane.sessions import tv, tv_codes
from control_plane.sessions.tv_codes import Approval
from control_plane.web.answers import as_json
from control_plane.web.endpoints import Call, endpoint
from control_plane.web.requests import SchemaT, bearer, client_address, own_origin, parse, services

_NO_STORE = {"Cache-Control": "no-store"}


@endpoint("POST /tv/codes", permission=None, responses={200: TvCodeShown}, refusals=(TooManyAttempts,))
async def show_code(call: Call) -> Response:
    """Return a code for a TV to show, and a secret with which it polls for the approval."""
    request = call.request
    app = services(request)
    await app.limits.count_tv_code(client_address(request))
    async with app.database.write() as db:
        shown = await tv_codes.issue(db, device_of(request), utc_now())
    origin = own_origin(request)
    view = TvCodeShown(
        user_code=shown.user_code,
        device_code=shown.device_code,
        verification_url=origin,
        qr=qr_code(f"{origin}/#tv={shown.user_code}"),
        expires_in=int(tv_codes.LIFE.total_seconds()),
        interval=tv_codes.POLL_SECONDS,
    )
    return JSONResponse(as_json(view), headers=_NO_STORE)


@endpoint(
    "POST /tv/session",
    permission=None,
    responses={200: Granted, 202: TvWaiting},
    refusals=(MalformedRequest, TvCodeUnusable, SessionOver, SessionTakenOver, *NOT_ADMITTED, TooManyAttempts),
    documented_body=TvPoll,
)
async def collect(call: Call) -> Response:
    """Return the TV's session, once, when its code has been approved; 202 until then."""
    request = call.request
    app = services(request)
    body = await _parse(request, TvPoll, "deviceCode must be the one that /api/tv/codes returned.")
    await app.limits.count_tv_poll(body.device_code)
    async with app.database.write() as db:
        now = utc_now()
        grant = await tv_codes.collect(db, body.device_code, device_of(request), app.rules, now)
        if grant:
            record_done(db, request, audit.LINK, grant, now, {"tvCode": True})
    if grant is None:
        return JSONResponse(as_json(TvWaiting(interval=tv_codes.POLL_SECONDS)), 202)
    return granted(request, grant)


@endpoint(
    "POST /tv/approve",
    permission=None,
    responses={200: TvApproved},
    refusals=(
        *(MalformedRequest, UnknownCode, *NOT_ADMITTED, TvCodeUnusable),
        *(TicketInUse, TakenOverTooOften, TooManyAttempts),
    ),
    documented_body=TvApproval,
)
async def approve_by_code(call: Call) -> Response:
    """Approve a TV with the code of a ticket. Wrong codes of both kinds count as guesses."""
    request = call.request
    app, address = services(request), client_address(request)
    with recording_refusals(request, audit.APPROVE) as attempt:
        async with app.limits.guess(address, wrong=(MalformedRequest, UnknownCode, TvCodeUnusable)):
            body = await _parse(request, TvApproval, NO_CODE)
            attempt.code = code = parse_code(body.code)
            async with app.database.write() as db:
                now = utc_now()
                approval = await tv_codes.approve_by_code(
                    db, code, body.user_code, device_of(request), app.rules, now, takeover=body.takeover
                )
                _record(db, request, approval, now)
    return JSONResponse(as_json(TvApproved(approved=True, moved=approval.moved)))


@endpoint(
    "POST /playback/tv/approve",
    permission=None,
    security_scheme="playbackToken",
    responses={200: TvApproved},
    refusals=(
        *(MalformedRequest, TokenUnusable, *NOT_ADMITTED, TvCodeUnusable),
        *(SessionOver, SessionTakenOver, TooManyAttempts),
    ),
    documented_body=TvPageApproval,
)
async def approve_by_page(call: Call) -> Response:
    """Approve a TV with the page's own ticket; if the ticket has no free seat, the TV takes the page's."""
    request = call.request
    app, address = services(request), client_address(request)
    with recording_refusals(request, audit.APPROVE) as attempt:
        claims = claims_of(app, bearer(request))
        attempt.with_token(claims)
        async with app.limits.guess(address, wrong=(MalformedRequest, TvCodeUnusable)):
            body = await _parse(request, TvPageApproval, "userCode must be the code shown on the TV.")
            async with app.database.write() as db:
                now = utc_now()
                approval = await tv_codes.approve_by_page(db, claims, body.user_code, app.rules, now)
                _record(db, request, approval, now)
    return JSONResponse(as_json(TvApproved(approved=True, moved=approval.moved)))


@endpoint(
    "GET /playback/tv",
    permission=None,
    security_scheme="playbackToken",
    responses={200: TvPlan},
    refusals=(TokenUnusable, SessionOver, SessionTakenOver),
)
async def plan(call: Call) -> Response:
    """Return whether the page would pause if a TV played. Changes nothing."""
    request = call.request
    app = services(request)
    claims = claims_of(app, bearer(request))
    async with app.database.write() as db:
        pauses = await tv.would_pause(db, claims, app.rules, utc_now())
    return JSONResponse(as_json(TvPlan(pauses_here=pauses)))


def _record(db: AsyncSession, request: Request, approval: Approval, now: datetime) -> None:
    record_done(db, request, audit.APPROVE, approval.grant, now, {"moved": True} if approval.moved else None)


async def _parse(request: Request, schema: type[SchemaT], sentence: str) -> SchemaT:
    """Parse the body. Raise MalformedRequest with the given sentence."""
    try:
        return await parse(request, schema)
    except ValidationError:
        raise MalformedRequest(sentence) from None


ENDPOINTS = (show_code, collect, approve_by_code, approve_by_page, plan)
