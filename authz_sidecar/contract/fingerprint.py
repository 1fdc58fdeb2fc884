"""The name of a ticket in logs, the same in both services: it does not reveal the code."""

from hashlib import sha256
from typing import Final

_DIGITS: Final = 12


def fingerprint(code: str) -> str:
    """Return the first 12 hex digits of the code's SHA-256."""
    return sha256(code.encode()).hexdigest()[:_DIGITS]
