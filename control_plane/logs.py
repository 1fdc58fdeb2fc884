"""Logging: one JSON object per line, for our own events and for the messages of libraries."""

import sys
from typing import Any, Final

import structlog
from structlog.typing import EventDict

from authz_sidecar.contract.log_lines import describe_exception, listen_to_libraries

_ALREADY_LOGGED: Final = "Exception in ASGI application"  # uvicorn's message for what we log as unhandled_error


def set_up() -> None:
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _describe_exceptions,
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stdout),
    )
    listen_to_libraries(except_prefix=_ALREADY_LOGGED)


def _describe_exceptions(_logger: Any, _method: str, event: EventDict) -> EventDict:
    error = event.pop("exc_info", None)
    return {**event, **describe_exception(error)} if isinstance(error, BaseException) else event
