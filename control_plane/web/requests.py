"""Functions that read requests: bodies, addresses, origins and credentials."""

from collections.abc import Callable
from typing import Final, TypeVar

from anyio import to_thread
from pydantic import BaseModel, ValidationError

from authz_sidecar.contract.strict_json import JsonRefused, parse_object
from control_plane.errors import MalformedRequest
from control_plane.services import Request, Services
from control_plane.web.security import SAFE_METHODS
from control_plane.web_origins import parse_origin

_NOT_AN_OBJECT: Final = "The request's body is not a JSON object."
_MAX_INLINE_BYTES: Final = 8 * 1024  # bytes; parsing more can take milliseconds and is done in a thread
_MAX_FIELDS: Final = 100
_TOO_MANY: Final = f"The request's body has more than {_MAX_FIELDS} fields."
T = TypeVar("T")
SchemaT = TypeVar("SchemaT", bound=BaseModel)


def services(request: Request) -> Services:
    return request.state["services"]


async def parse_in_thread_if_large(read: Callable[[bytes], T], body: bytes) -> T:
    """Parse a body, in a thread if it is large so that it does not block the event loop. Raise what `read` raises."""
    return read(body) if len(body) <= _MAX_INLINE_BYTES else await to_thread.run_sync(read, body)


async def parse(request: Request, schema: type[SchemaT]) -> SchemaT:
    """Return the validated body. Raise MalformedRequest or pydantic's ValidationError.

    Validation is strict: neither `true` nor `"5"` is a number. JSON that parsers could read differently is refused.
    """
    return await parse_in_thread_if_large(lambda body: _validated(body, schema), await request.body())


def _validated(body: bytes, schema: type[SchemaT]) -> SchemaT:
    try:
        if len(parse_object(body)) > _MAX_FIELDS:  # otherwise there would be one error message for each
            raise MalformedRequest(_TOO_MANY)
        return schema.model_validate_json(body, strict=True)
    except JsonRefused:
        raise MalformedRequest(_NOT_AN_OBJECT) from None
    except ValidationError as error:
        if error.errors()[0]["type"] == "json_invalid":  # a lone surrogate, like `"\\ud800"`
            raise MalformedRequest(_NOT_AN_OBJECT) from None
        raise


def client_address(request: Request) -> str:
    """Return the client's address as nginx sees it. Only nginx can reach the socket that this process listens on."""
    return request.headers.get("x-real-ip") or (request.client.host if request.client else "")


def is_secure(request: Request) -> bool:
    """Return whether the browser uses https."""
    return own_origin(request).startswith("https://")


def own_origin(request: Request) -> str:
    """Return the origin under which the browser reaches us: scheme, name and port.

    Sources in order: the `Origin` header of a request that changes state (SameOriginOnly refuses any other than ours),
    X-Forwarded-Host as set by nginx, PLATFORM_APP_URL, and the Host header, which a proxy may have rewritten.
    """
    headers, configured = request.headers, services(request).settings.platform_app_url
    scheme = "https" if headers.get("x-forwarded-proto") == "https" else "http"
    claimed = parse_origin(headers.get("origin", "")) if request.method not in SAFE_METHODS else None
    forwarded, host = (parse_origin(f"{scheme}://{headers.get(name, '')}") for name in ("x-forwarded-host", "host"))
    return claimed or forwarded or configured or host or ""


def streams_origin(request: Request) -> str:
    """Return the origin of the streams, or an empty string if it is the portal's own."""
    configured = services(request).settings.hls_server_base_url
    return "" if configured in {services(request).settings.platform_app_url, own_origin(request)} else configured


def bearer(request: Request) -> str | None:
    scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
    return credentials.strip() if scheme.lower() == "bearer" else None
