"""Watch on TV over HTTP: the link and its QR code. The answer holds a token, so nobody may keep it."""

from io import BytesIO

import segno
from pydantic import ValidationError
from starlette.responses import JSONResponse, Response

from authz_sidecar.contract.playback_token import mint
from control_plane.access import audit
from control_plane.api.playback import NOT_ADMITTED, claims_of
from control_plane.api.viewer_records import asking, done
from control_plane.clock import utc_now
from control_plane.errors import MalformedRequest, SessionOver, SessionTakenOver, TokenUnusable, TooManyAttempts
from control_plane.schemas.viewer import Stopped, TvLink, TvWish
from control_plane.services import Request
from control_plane.sessions import tv
from control_plane.web.answers import as_json
from control_plane.web.endpoints import Call, endpoint
from control_plane.web.requests import bearer, client_address, own_origin, parse, services, streams_origin


@endpoint(
    "POST /playback/tv",
    needs=None,
    shows="playbackToken",
    answers={200: TvLink},
    refuses=(MalformedRequest, TokenUnusable, *NOT_ADMITTED, SessionOver, SessionTakenOver, TooManyAttempts),
    reads_body=TvWish,
)
async def link(call: Call) -> Response:
    """Give the page that shows its token a URL for the TV; as seldom as a token is refreshed."""
    request = call.request
    app = services(request)
    with asking(request, audit.LINK) as asked:
        claims = claims_of(app, bearer(request))
        asked.with_token(claims)
        await app.limits.count_refresh(f"tv of {claims.sid}")
        own = await _wants_own_session(request)
        async with app.database.write() as db:
            given = await tv.link(db, claims, client_address(request), app.rules, utc_now(), own=own)
            done(db, request, audit.LINK, given.claims, given.ticket.id, {"ownSession": given.is_own_session})
    base = streams_origin(request) or own_origin(request)
    url = f"{base}/t/{mint(given.claims, app.ring)}{given.claims.sp}stream.m3u8"
    told = TvLink(url=url, qr=qr_code(url), expires_at=given.ticket.expires_at, own_session=given.is_own_session)
    return JSONResponse(as_json(told), headers={"Cache-Control": "no-store"})


@endpoint(
    "DELETE /playback/tv",
    needs=None,
    shows="playbackToken",
    answers={200: Stopped},
    refuses=(TokenUnusable, SessionOver, SessionTakenOver),
)
async def stop(call: Call) -> Response:
    """Give the TV's seat back."""
    request = call.request
    app = services(request)
    claims = claims_of(app, bearer(request))
    async with app.database.write() as db:
        stopped = await tv.stop(db, claims, client_address(request), utc_now())
    return JSONResponse(as_json(Stopped(stopped=stopped)))


async def _wants_own_session(request: Request) -> bool:
    """No body is a no. Raise MalformedRequest."""
    try:
        return bool(await request.body()) and (await parse(request, TvWish)).own_session
    except ValidationError:
        raise MalformedRequest("ownSession is true or false.") from None


def qr_code(url: str) -> str:
    """Draw the URL as an SVG element, black on white whatever the page looks like, as cameras want it."""
    code = segno.make_qr(url, error="L", boost_error=False)
    drawn = BytesIO()
    code.save(drawn, kind="svg", xmldecl=False, nl=False, omitsize=True, border=4, dark="#000", light="#fff")
    return drawn.getvalue().decode()


ENDPOINTS = (link, stop)
