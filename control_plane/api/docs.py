"""The API documentation: an OpenAPI document for programs, a page for people. It contains nothing secret."""

from functools import cache
from typing import Any

from starlette.responses import HTMLResponse, JSONResponse, Response

from control_plane.api.admin_routes import ADMIN_ENDPOINTS
from control_plane.api.viewer_routes import VIEWER_ENDPOINTS
from control_plane.portal.pages import TEMPLATES, brand
from control_plane.services import Request
from control_plane.web import openapi
from control_plane.web.requests import services


@cache
def document() -> dict[str, Any]:
    return openapi.document("StreamGate", {"/api": VIEWER_ENDPOINTS, "/api/admin": ADMIN_ENDPOINTS})


async def show_document(_request: Request) -> Response:
    return JSONResponse(document(), headers={"Cache-Control": "no-cache"})


async def show_page(request: Request) -> Response:
    """Render a page of all operations with their input and responses. Plain HTML, without JavaScript."""
    openapi_document = document()
    values = brand(services(request)) | {"document": openapi_document, "groups": _groups(openapi_document)}
    return HTMLResponse(TEMPLATES.get_template("api_docs.html").render(values))


def _groups(openapi_document: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Return the operations by tag, in the order of the document."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for path, methods in openapi_document["paths"].items():
        for method, operation in methods.items():
            entry = operation | {"path": path, "method": method.upper()}
            groups.setdefault(operation["tags"][0], []).append(entry)
    return groups
