"""What views read from a request."""

from collections.abc import Callable
from typing import Final, TypeVar

from anyio import to_thread
from pydantic import BaseModel, ValidationError

from authz_sidecar.contract.strict_json import JsonRefused, parse_object
from control_plane.errors import MalformedRequest
from control_plane.services import Request, Services
from control_plane.web.security import SAFE_METHODS
from control_plane.web_origins import parse_origin

_NO_OBJECT: Final = "The request's body is not a JSON object."
_READ_AT_ONCE: Final = 8 * 1024  # bytes; more can take milliseconds and is read elsewhere
_MOST_FIELDS: Final = 100
_TOO_MANY: Final = f"The request's body has more than {_MOST_FIELDS} fields."
T = TypeVar("T")
SchemaT = TypeVar("SchemaT", bound=BaseModel)


def services(request: Request) -> Services:
    return request.state["services"]


async def read_aside(read: Callable[[bytes], T], body: bytes) -> T:
    """Read a body: in a thread where it is large, so that others are answered meanwhile. Raise what `read` raises."""
    return read(body) if len(body) <= _READ_AT_ONCE else await to_thread.run_sync(read, body)


async def parse(request: Request, schema: type[SchemaT]) -> SchemaT:
    """Return the validated body; raise MalformedRequest or pydantic's ValidationError.

    Strictly: `true` is no number and `"5"` neither. What two parsers could read differently is refused before.
    """
    return await read_aside(lambda body: _validated(body, schema), await request.body())


def _validated(body: bytes, schema: type[SchemaT]) -> SchemaT:
    try:
        if len(parse_object(body)) > _MOST_FIELDS:  # each would be refused in a sentence of its own
            raise MalformedRequest(_TOO_MANY)
        return schema.model_validate_json(body, strict=True)
    except JsonRefused:
        raise MalformedRequest(_NO_OBJECT) from None
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
