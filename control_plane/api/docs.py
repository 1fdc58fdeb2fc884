"""The API documentation for programs: an OpenAPI document. It contains nothing secret."""

from functools import cache
from typing import Any

from starlette.responses import JSONResponse, Response

from control_plane.api.admin_routes import ADMIN_ENDPOINTS
from control_plane.api.viewer_routes import VIEWER_ENDPOINTS
from control_plane.services import Request
from control_plane.web import openapi


@cache
def document() -> dict[str, Any]:
    return openapi.document("StreamGate", {"/api": VIEWER_ENDPOINTS, "/api/admin": ADMIN_ENDPOINTS})


async def show_document(_request: Request) -> Response:
    return JSONResponse(document(), headers={"Cache-Control": "no-cache"})
