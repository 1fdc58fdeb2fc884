"""Stream trouble reported by viewers' pages."""

import time

from pydantic import ValidationError
from starlette.responses import JSONResponse, Response

from control_plane.api.playback import claims_of
from control_plane.errors import MalformedRequest, TokenUnusable
from control_plane.schemas.viewer import Noted, TroubleReport
from control_plane.sessions import sessions
from control_plane.sessions.trouble import Trouble
from control_plane.web.answers import as_json
from control_plane.web.endpoints import Call, endpoint
from control_plane.web.requests import bearer, parse


@endpoint(
    "POST /playback/trouble",
    permission=None,
    security_scheme="playbackToken",
    responses={200: Noted},
    refusals=(MalformedRequest, TokenUnusable),
    documented_body=TroubleReport,
)
async def report(call: Call) -> Response:
    """Report that the stream does not play although the network works."""
    claims = claims_of(call.app, bearer(call.request))
    sessions.check_grace(claims, call.now)
    try:
        body = await parse(call.request, TroubleReport)
    except ValidationError:
        raise MalformedRequest("kind, file or status is invalid.") from None
    trouble = Trouble(body.kind, body.file, body.status)
    noted = call.app.trouble_reports.report_trouble(claims.eid, claims.sid or "", trouble, time.monotonic())
    return JSONResponse(as_json(Noted(noted=noted)))


ENDPOINTS = (report,)
