"""Trouble with a stream, as the pages of viewers report it."""

import time

from pydantic import ValidationError
from starlette.responses import JSONResponse, Response

from control_plane.refusals import MalformedRequest, TokenUnusable
from control_plane.schemas.viewer import Noted, TroubleReport
from control_plane.viewing import sessions
from control_plane.viewing.trouble import Trouble
from control_plane.views.answers import as_json
from control_plane.views.endpoints import Call, endpoint
from control_plane.views.requests import bearer, parse
from control_plane.views.viewer_api import claims_of


@endpoint(
    "POST /playback/trouble",
    needs=None,
    shows="playbackToken",
    answers={200: Noted},
    refuses=(MalformedRequest, TokenUnusable),
    reads_body=TroubleReport,
)
async def report(call: Call) -> Response:
    """Report that the stream does not play although the network works."""
    claims = claims_of(call.app, bearer(call.request))
    sessions.check_grace(claims, call.now)
    try:
        told = await parse(call.request, TroubleReport)
    except ValidationError:
        raise MalformedRequest("kind, file or status is invalid.") from None
    trouble = Trouble(told.kind, told.file, told.status)
    noted = call.app.trouble_reports.report_trouble(claims.eid, claims.sid or "", trouble, time.monotonic())
    return JSONResponse(as_json(Noted(noted=noted)))


ENDPOINTS = (report,)
