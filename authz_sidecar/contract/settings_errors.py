"""Error messages for invalid settings, in both services: one sentence per variable, never its value."""

from collections.abc import Mapping, Sequence
from typing import Any


def sentences(errors: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return a sentence for each of pydantic's errors, naming the environment variable."""
    return [_sentence(error) for error in errors]


def _sentence(error: Mapping[str, Any]) -> str:
    name = str(error["loc"][0]).upper() if error["loc"] else ""
    if error["type"] == "missing":
        return f"{name} is not set."
    message = str(error["msg"]).removeprefix("Value error, ").rstrip(".")
    return f"{name}: {message}." if name else f"{message}."
