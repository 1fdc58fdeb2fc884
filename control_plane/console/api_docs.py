"""The API documentation for people: a page made from the OpenAPI document. It contains nothing secret."""

from typing import Any

from starlette.responses import HTMLResponse, Response

from control_plane.api.docs import document
from control_plane.console.frame import TEMPLATES
from control_plane.portal.pages import brand
from control_plane.services import Request
from control_plane.web.requests import services


async def show_api_docs(request: Request) -> Response:
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
