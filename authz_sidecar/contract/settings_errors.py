"""How both services say that their settings are wrong: one sentence a variable, and never the value."""

from collections.abc import Mapping, Sequence
from typing import Any


def sentences(errors: Sequence[Mapping[str, Any]]) -> list[str]:
    """Turn pydantic's error list into sentences that name the environment variable."""
    return [_sentence(error) for error in errors]


def _sentence(error: Mapping[str, Any]) -> str:
    name = str(error["loc"][0]).upper() if error["loc"] else ""
    if error["type"] == "missing":
        return f"{name} is not set."
    message = str(error["msg"]).removeprefix("Value error, ").rstrip(".")
    return f"{name}: {message}." if name else f"{message}."
