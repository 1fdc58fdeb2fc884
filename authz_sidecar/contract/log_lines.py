"""Log lines for exceptions and for messages of libraries, in both services: one JSON object per line.

An exception is logged with its type and its traceback's places. Its text and the values of variables are left out:
they may contain a code, a token or a password.
"""

import json
import logging
import sys
from datetime import UTC, datetime
from traceback import walk_tb
from typing import Any, Final

_SHOWN_PLACES: Final = 30
_SHOWN_CHARACTERS: Final = 200
_LIBRARIES: Final = "site-packages"
_TRACEBACK: Final = "Traceback (most recent call last):"


def listen_to_libraries(except_prefix: str | None = None) -> None:
    """Log warnings of libraries as JSON lines, except messages that begin with `except_prefix`."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(OneLine())
    handler.addFilter(lambda record: except_prefix is None or not record.getMessage().startswith(except_prefix))
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)


def describe_exception(error: BaseException) -> dict[str, Any]:
    """Return the types of an exception and of its causes, and the places of their tracebacks, innermost first."""
    chain: list[str] = []
    places: list[str] = []
    cause: BaseException | None = error
    while cause is not None and type(cause).__name__ not in chain:
        chain.append(type(cause).__name__)
        places += _places(cause)
        cause = cause.__cause__ or (None if cause.__suppress_context__ else cause.__context__)
    return {"error": " from ".join(chain), "traceback": places[:_SHOWN_PLACES]}


class OneLine(logging.Formatter):
    """Format the first line of a library's message; the other lines may contain values."""

    def format(self, record: logging.LogRecord) -> str:
        lines = record.getMessage().strip().splitlines() or [""]
        event: dict[str, Any] = {"logger": record.name, "message": lines[0][:_SHOWN_CHARACTERS]}
        if lines[0] == _TRACEBACK:
            event |= {"error": lines[-1].partition(":")[0][:_SHOWN_CHARACTERS]}
        if record.exc_info and record.exc_info[1]:
            event |= describe_exception(record.exc_info[1])
        at = datetime.fromtimestamp(record.created, UTC).isoformat()
        return json.dumps({**event, "event": "library_message", "level": record.levelname.lower(), "timestamp": at})


def _places(error: BaseException) -> list[str]:
    """Return where it was raised, and our own functions that it passed through; those of libraries are left out."""
    codes = [(frame.f_code, line) for frame, line in walk_tb(error.__traceback__)][::-1]
    shown = codes[:1] + [(code, line) for code, line in codes[1:] if _LIBRARIES not in code.co_filename]
    return [f"{code.co_filename}:{line} {code.co_name}" for code, line in shown]
