"""Watch on TV over HTTP: the link and its QR code. The answer holds a token, so nobody may keep it."""

from io import BytesIO

import segno
from starlette.responses import JSONResponse, Response

from authz_sidecar.contract.playback_token import mint
from control_plane import tv
from control_plane.refusals import MalformedRequest
from control_plane.schemas import utc_now
from control_plane.state import Request
from control_plane.views.requests import bearer, client_address, json_body, own_origin, services
from control_plane.views.viewer_api import claims_of


async def link(request: Request) -> Response:
    """Give the page that shows its token a URL for the TV; as seldom as a token is refreshed."""
    app = services(request)
    claims = claims_of(app, bearer(request))
    await app.limits.count_refresh(f"tv of {claims.sid}")
    own = await _wants_own_session(request)
    async with app.database.write() as db:
        given = await tv.link(db, claims, client_address(request), app.rules, utc_now(), own=own)
    base = app.settings.hls_server_base_url or own_origin(request)
    url = f"{base}/t/{mint(given.claims, app.ring)}{given.claims.sp}stream.m3u8"
    body = {
        "url": url,
        "qr": qr_code(url),
        "expiresAt": given.ticket.expires_at.isoformat(),
        "ownSession": given.is_own_session,
    }
    return JSONResponse(body, headers={"Cache-Control": "no-store"})


async def stop(request: Request) -> Response:
    app = services(request)
    claims = claims_of(app, bearer(request))
    async with app.database.write() as db:
        stopped = await tv.stop(db, claims, utc_now())
    return JSONResponse({"stopped": stopped})


async def _wants_own_session(request: Request) -> bool:
    """Read `{"ownSession": true}`, which AirPlay's URL is asked for with; no body is a no. Raise MalformedRequest."""
    wish = (await json_body(request)).get("ownSession", False) if await request.body() else False
    if not isinstance(wish, bool):
        raise MalformedRequest("ownSession is true or false.")
    return wish


def qr_code(url: str) -> str:
    """Draw the URL as an SVG element, black on white whatever the page looks like, as cameras want it."""
    code = segno.make_qr(url, error="L", boost_error=False)
    drawn = BytesIO()
    code.save(drawn, kind="svg", xmldecl=False, nl=False, omitsize=True, border=4, dark="#000", light="#fff")
    return drawn.getvalue().decode()
