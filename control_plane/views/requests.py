"""What views read from a request."""

from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from authz_sidecar.contract.strict_json import JsonRefused, parse_object
from control_plane.refusals import MalformedRequest
from control_plane.security import SAFE_METHODS
from control_plane.state import Request, Services
from control_plane.web_origins import parse_origin

_NO_OBJECT = "The request's body is not a JSON object."
SchemaT = TypeVar("SchemaT", bound=BaseModel)


def services(request: Request) -> Services:
    return request.state["services"]


async def json_body(request: Request) -> dict[str, Any]:
    """Return the JSON object in the body; raise MalformedRequest."""
    try:
        return parse_object(await request.body())
    except JsonRefused:
        raise MalformedRequest(_NO_OBJECT) from None


async def parse(request: Request, schema: type[SchemaT]) -> SchemaT:
    """Return the validated body; raise MalformedRequest or pydantic's ValidationError.

    Strictly: `true` is no number and `"5"` neither. What two parsers could read differently is refused before.
    """
    await json_body(request)
    try:
        return schema.model_validate_json(await request.body(), strict=True)
    except ValidationError as error:
        if error.errors()[0]["type"] == "json_invalid":  # half a character, as `"\\ud800"`
            raise MalformedRequest(_NO_OBJECT) from None
        raise


def client_address(request: Request) -> str:
    """Return the viewer's address as nginx saw it. Only nginx can reach the socket that this process listens on."""
    return request.headers.get("x-real-ip") or (request.client.host if request.client else "")


def is_secure(request: Request) -> bool:
    """Tell whether the browser speaks https."""
    return own_origin(request).startswith("https://")


def own_origin(request: Request) -> str:
    """Return the origin under which the browser reaches us: scheme, name and port.

    Its own word counts first: the `Origin` of what changes something is ours, or SameOriginOnly would have refused it.
    Then what nginx is sure of, then PLATFORM_APP_URL, then Host, which a proxy may have rewritten.
    """
    headers, configured = request.headers, services(request).settings.platform_app_url
    scheme = "https" if headers.get("x-forwarded-proto") == "https" else "http"
    said = parse_origin(headers.get("origin", "")) if request.method not in SAFE_METHODS else None
    sure, host = (parse_origin(f"{scheme}://{headers.get(name, '')}") for name in ("x-forwarded-host", "host"))
    return said or sure or configured or host or ""


def streams_origin(request: Request) -> str:
    """Return where the streams are; empty where they are on the portal's own origin, however that is called."""
    configured = services(request).settings.hls_server_base_url
    return "" if configured in {services(request).settings.platform_app_url, own_origin(request)} else configured


def bearer(request: Request) -> str | None:
    scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
    return credentials.strip() if scheme.lower() == "bearer" else None
