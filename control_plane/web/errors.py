"""Convert refusals and errors to HTTP responses: `{"error": sentence, "reason": word}`, with no further details."""

from typing import Any, Final

import structlog
from anyio import to_thread
from pydantic import ValidationError
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as NoConnection
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from control_plane import errors as refusals
from control_plane.db.engines import is_outage
from control_plane.metrics import template_of
from control_plane.services import Request

_STATUS: Final[dict[type[Exception], int]] = {
    refusals.MalformedRequest: 400,
    refusals.UnknownCode: 401,
    refusals.NoSession: 401,
    refusals.TokenUnusable: 401,
    refusals.SignInFailed: 401,
    refusals.SignInRequired: 401,
    refusals.TicketRevoked: 403,
    refusals.EventUnavailable: 403,
    refusals.TokenFinal: 403,
    refusals.CrossOrigin: 403,
    refusals.Forbidden: 403,
    refusals.SetupLinkUnusable: 403,
    refusals.SessionOver: 404,
    refusals.NotFound: 404,
    refusals.TvCodeUnusable: 404,
    refusals.TicketInUse: 409,
    refusals.SessionTakenOver: 409,
    refusals.Conflict: 409,
    refusals.SecretsKeyMissing: 409,
    refusals.TicketExpired: 410,
    refusals.TooLarge: 413,
    refusals.UnsupportedForm: 415,
    refusals.FieldRefused: 422,
    refusals.ImportRefused: 422,
    refusals.TooManyAttempts: 429,
    refusals.TakenOverTooOften: 429,
    refusals.TooBusy: 503,
    refusals.Unavailable: 503,
}
_RETRYABLE: Final = (
    refusals.TooManyAttempts,
    refusals.TakenOverTooOften,
    refusals.TooBusy,
    refusals.Unavailable,
)
_RETRY_SECONDS: Final = 5
_INVALID_VALUES: Final = "Some values are invalid."
log = structlog.get_logger()


def status_of(refusal: refusals.Refusal) -> int:
    return _STATUS[type(refusal)]


def status_for(kind: type[refusals.Refusal]) -> int:
    return _STATUS[kind]


async def refused(_request: Request, refusal: Exception) -> Response:
    assert isinstance(refusal, refusals.Refusal)  # noqa: S101 - registered for this class only
    body: dict[str, Any] = {"error": str(refusal), "reason": refusal.reason}
    headers = {}
    if isinstance(refusal, refusals.TicketExpired):
        body["expiresAt"] = refusal.expires_at.isoformat()
    if isinstance(refusal, refusals.FieldRefused):
        body |= {"error": _INVALID_VALUES, "fields": {refusal.field: str(refusal)}}
    if isinstance(refusal, refusals.TicketInUse):
        body |= {"inUse": True, "canTakeOver": refusal.can_take_over}
    if isinstance(refusal, _RETRYABLE):
        headers["Retry-After"] = str(refusal.retry_after)
    return JSONResponse(body, status_of(refusal), headers)


async def import_refused(_request: Request, refusal: Exception) -> Response:
    """Return one message per line, rendered in a thread: ten thousand lines would block the event loop."""
    assert isinstance(refusal, refusals.ImportRefused)  # noqa: S101 - registered for this class only
    return await to_thread.run_sync(_line_errors, refusal)


def _line_errors(refusal: refusals.ImportRefused) -> Response:
    fields = {f"line {line}": sentence for line, sentence, _ in refusal.problems}
    body = {"error": str(refusal), "reason": refusal.reason, "fields": fields}
    return JSONResponse(body, status_of(refusal))


async def invalid(_request: Request, error: Exception) -> Response:
    """Return 422 with one message per field (`""` for the whole body)."""
    assert isinstance(error, ValidationError)  # noqa: S101 - registered for this class only
    fields = {".".join(map(str, item["loc"])): _message(item["msg"]) for item in error.errors()}
    return JSONResponse({"error": _INVALID_VALUES, "reason": "invalid", "fields": fields}, 422)


async def http_error(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for this class only
    body = {"error": error.detail, "reason": error.detail.lower().replace(" ", "-")}
    return JSONResponse(body, error.status_code, error.headers)


async def database_failed(request: Request, error: Exception) -> Response:
    """Return 503 if the database is unavailable; otherwise raise the error again."""
    if not is_outage(error):
        raise error
    log.error("database_away", **_log_fields(request), error=type(error).__name__)
    return await refused(request, refusals.Unavailable(_RETRY_SECONDS))


async def crashed(request: Request, error: Exception) -> Response:
    log.error("unhandled_error", **_log_fields(request), exc_info=error)
    return JSONResponse({"error": "Something went wrong on our side.", "reason": "internal"}, 500)


def _log_fields(request: Request) -> dict[str, str | None]:
    """Return log fields that contain no values of the request; `request` is also in nginx's access log."""
    request_id = request.headers.get("x-request-id")
    return {"method": request.method, "route": template_of(request.scope), "request": request_id}


def _message(text: str) -> str:
    return text.removeprefix("Value error, ")


HANDLERS: Final[Any] = {
    refusals.Refusal: refused,
    refusals.ImportRefused: import_refused,
    ValidationError: invalid,
    HTTPException: http_error,
    OperationalError: database_failed,
    InterfaceError: database_failed,
    NoConnection: database_failed,
    Exception: crashed,
}
