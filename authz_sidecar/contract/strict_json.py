"""Strict JSON for a security boundary: anything that two parsers could read differently is refused."""

import json
from typing import Any, NoReturn


class JsonRefused(ValueError):
    """The text is not JSON in strict UTF-8, repeats a key, or contains NaN or Infinity."""


def parse_object(data: bytes) -> dict[str, Any]:
    """Parse one JSON object; raise JsonRefused for anything ambiguous (RFC 8259 section 4, RFC 7515 section 4)."""
    try:
        value = json.loads(data.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise JsonRefused(str(error)) from None
    if not isinstance(value, dict):
        raise JsonRefused("not an object")
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise JsonRefused("a duplicate key")
    return result


def _refuse_constant(name: str) -> NoReturn:
    raise JsonRefused(f"{name} is not JSON")
