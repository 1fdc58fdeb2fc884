"""The revocations for other media servers, on the public port, in the published format."""

import re
from datetime import datetime

from starlette.responses import JSONResponse, Response

from control_plane.api.internal import check_key
from control_plane.clock import parse_moment
from control_plane.errors import MalformedRequest, TokenUnusable
from control_plane.revocations import published_revocations
from control_plane.schemas.viewer import PublishedRevocations, SinceQuery
from control_plane.web.endpoints import Call, endpoint
from control_plane.web.requests import services

_PLUS_LOST = re.compile(r" (?=\d\d:?\d\d\Z)")  # `+02:00` arrives as ` 02:00` if it was not percent-encoded


@endpoint(
    "GET /revocations",
    permission=None,
    security_scheme="internalKey",
    responses={200: PublishedRevocations},
    refusals=(TokenUnusable, MalformedRequest),
    documented_query=SinceQuery,
)
async def list_revocations(call: Call) -> Response:
    """List the revocations since a time that are still in force, for other media servers."""
    request = call.request
    check_key(request)
    moment = _since(request.query_params.get("since", ""))
    return JSONResponse(await published_revocations.since(services(request).database, moment))


def _since(text: str) -> datetime:
    """Parse the time. Raise MalformedRequest unless it has a time zone."""
    try:
        return parse_moment(_PLUS_LOST.sub("+", text) if "T" in text else text)
    except ValueError:
        raise MalformedRequest("since must be an ISO 8601 time with a time zone, like 2027-01-15T20:00:00Z.") from None


ENDPOINTS = (list_revocations,)
