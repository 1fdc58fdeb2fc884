"""Resume a session over HTTP: find the session of the tab, and delete its cookie if that is refused."""

from pydantic import ValidationError
from starlette.responses import Response

from authz_sidecar.contract.playback_token import stream_prefix
from control_plane.access import audit
from control_plane.api.playback import NOT_ADMITTED, PLAYBACK_COOKIE, RESUME_COOKIE, claims_of, device_of, granted
from control_plane.api.viewer_records import recording_refusals
from control_plane.clock import utc_now
from control_plane.errors import (
    MalformedRequest,
    NoSession,
    Refusal,
    SessionOver,
    SessionTakenOver,
    TicketInUse,
    TokenUnusable,
)
from control_plane.schemas.viewer import Granted, Resumption
from control_plane.services import Request, Services
from control_plane.sessions import resuming, watching
from control_plane.sessions.resuming import Tab
from control_plane.web import errors
from control_plane.web.endpoints import Call, endpoint
from control_plane.web.requests import bearer, parse, services


@endpoint(
    "POST /playback/resume",
    permission=None,
    security_scheme="resumeCookie",
    responses={200: Granted},
    refusals=(MalformedRequest, NoSession, TokenUnusable, *NOT_ADMITTED, SessionOver, SessionTakenOver, TicketInUse),
    documented_body=Resumption,
)
async def resume(call: Call) -> Response:
    """Resume a session by its token, or after a reload by cookie and sid; a refusal deletes the playback cookie."""
    request = call.request
    app = services(request)
    tab = await _tab(request, app)
    try:
        with recording_refusals(request, audit.RESUME) as attempt:
            attempt.resume_secret, attempt.sid = request.cookies.get(RESUME_COOKIE), tab.sid
            if tab.claims:
                attempt.with_token(tab.claims)
            async with app.database.write() as db:
                grant = await resuming.resume(db, device_of(request), app.rules, utc_now(), tab)
    except Refusal as refusal:
        return await _refuse(request, refusal, tab)
    return granted(request, grant)


async def _tab(request: Request, app: Services) -> Tab:
    """Return the requested session; without body and token, the last one. Raise TokenUnusable, MalformedRequest."""
    if token := bearer(request):
        return Tab(claims=claims_of(app, token))
    try:
        return Tab(sid=(await parse(request, Resumption)).sid if await request.body() else None)
    except ValidationError:
        raise MalformedRequest("sid must be the id of a session.") from None


async def _refuse(request: Request, refusal: Refusal, tab: Tab) -> Response:
    """Return the refusal and delete the playback cookie. The resume cookie stays: all tabs share it."""
    response = await errors.refused(request, refusal)
    if isinstance(refusal, NoSession | TokenUnusable):
        return response
    async with services(request).database.read() as db:
        event_id = await watching.event_id_of_tab(db, request.cookies.get(RESUME_COOKIE), tab)
    if event_id:
        response.delete_cookie(PLAYBACK_COOKIE, path=stream_prefix(event_id))
    return response


ENDPOINTS = (resume,)
