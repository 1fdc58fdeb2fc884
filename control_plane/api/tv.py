"""Watch on TV over HTTP: a link and its QR code. The response contains a token, so it must not be cached."""

from io import BytesIO

import segno
from pydantic import ValidationError
from starlette.responses import JSONResponse, Response

from authz_sidecar.contract.playback_token import mint
from control_plane.access import audit
from control_plane.api.playback import NOT_ADMITTED, claims_of
from control_plane.api.viewer_records import record_done, recording_refusals
from control_plane.clock import utc_now
from control_plane.errors import MalformedRequest, SessionOver, SessionTakenOver, TokenUnusable, TooManyAttempts
from control_plane.schemas.viewer import Stopped, TvLink, TvLinkRequest
from control_plane.services import Request
from control_plane.sessions import tv
from control_plane.web.answers import as_json
from control_plane.web.endpoints import Call, endpoint
from control_plane.web.requests import bearer, client_address, own_origin, parse, services, streams_origin


@endpoint(
    "POST /playback/tv",
    permission=None,
    security_scheme="playbackToken",
    responses={200: TvLink},
    refusals=(MalformedRequest, TokenUnusable, *NOT_ADMITTED, SessionOver, SessionTakenOver, TooManyAttempts),
    documented_body=TvLinkRequest,
)
async def link(call: Call) -> Response:
    """Return a URL for playing the session on a TV; it is rate limited like refreshing a token."""
    request = call.request
    app = services(request)
    with recording_refusals(request, audit.LINK) as attempt:
        claims = claims_of(app, bearer(request))
        attempt.with_token(claims)
        await app.limits.count_refresh(f"tv of {claims.sid}")
        own = await _wants_own_session(request)
        async with app.database.write() as db:
            now = utc_now()
            tv_link = await tv.link(db, claims, client_address(request), app.rules, now, own=own)
            record_done(db, request, audit.LINK, tv_link, now, {"ownSession": tv_link.is_own_session})
    base = streams_origin(request) or own_origin(request)
    url = f"{base}/t/{mint(tv_link.claims, app.ring)}{tv_link.claims.sp}stream.m3u8"
    view = TvLink(url=url, qr=qr_code(url), expires_at=tv_link.ticket.expires_at, own_session=tv_link.is_own_session)
    return JSONResponse(as_json(view), headers={"Cache-Control": "no-store"})


@endpoint(
    "DELETE /playback/tv",
    permission=None,
    security_scheme="playbackToken",
    responses={200: Stopped},
    refusals=(TokenUnusable, SessionOver, SessionTakenOver),
)
async def stop(call: Call) -> Response:
    """Release the TV's seat."""
    request = call.request
    app = services(request)
    claims = claims_of(app, bearer(request))
    async with app.database.write() as db:
        stopped = await tv.stop(db, claims, client_address(request), utc_now())
    return JSONResponse(as_json(Stopped(stopped=stopped)))


async def _wants_own_session(request: Request) -> bool:
    """Return whether the TV gets a session of its own; false without a body. Raise MalformedRequest."""
    try:
        return bool(await request.body()) and (await parse(request, TvLinkRequest)).own_session
    except ValidationError:
        raise MalformedRequest("ownSession must be true or false.") from None


def qr_code(url: str) -> str:
    """Return the QR code of a URL as an SVG element, always black on white, which cameras read best."""
    code = segno.make_qr(url, error="L", boost_error=False)
    svg = BytesIO()
    code.save(svg, kind="svg", xmldecl=False, nl=False, omitsize=True, border=4, dark="#000", light="#fff")
    return svg.getvalue().decode()


ENDPOINTS = (link, stop)
