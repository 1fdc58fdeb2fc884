"""What views read from a request."""

from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from authz_sidecar.contract.strict_json import JsonRefused, parse_object
from control_plane.refusals import MalformedRequest
from control_plane.state import Request, Services

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
    """Tell whether the browser speaks https: by the configured address, else by what nginx says."""
    configured = services(request).settings.platform_app_url
    return configured.startswith("https://") if configured else request.headers.get("x-forwarded-proto") == "https"


def own_origin(request: Request) -> str:
    configured = services(request).settings.platform_app_url
    scheme = "https" if is_secure(request) else "http"
    return configured or f"{scheme}://{request.headers.get('host', '')}"


def bearer(request: Request) -> str | None:
    scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
    return credentials.strip() if scheme.lower() == "bearer" else None
