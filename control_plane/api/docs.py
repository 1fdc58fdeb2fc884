"""The API described: as an OpenAPI document for programs, as a page for people. Nothing in it is secret."""

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
    """Show every operation, what it takes and what it answers. Plain HTML: it needs no JavaScript."""
    described = document()
    values = brand(services(request)) | {"document": described, "groups": _groups(described)}
    return HTMLResponse(TEMPLATES.get_template("api_docs.html").render(values))


def _groups(described: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Return the operations by tag, in the document's order."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            shown = operation | {"path": path, "method": method.upper()}
            groups.setdefault(operation["tags"][0], []).append(shown)
    return groups
