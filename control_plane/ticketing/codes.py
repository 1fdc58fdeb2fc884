"""Codes: the 12 base62 characters a viewer types."""

import re
import secrets
import string
from typing import Final

from control_plane.refusals import MalformedRequest

ALPHABET: Final = string.digits + string.ascii_uppercase + string.ascii_lowercase
LENGTH: Final = 12
NO_CODE: Final = "An access code has letters and digits only. Please check your ticket and try again."
# Shorter than any ticket's is a wrong code, not a malformed one.
_TYPED: Final = re.compile(r"[0-9A-Za-z]{1,64}", re.ASCII)


def new_code() -> str:
    """Draw a code: 71 bits from the system's random source, each character equally likely."""
    return "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))


def parse_code(text: object) -> str:
    """Return what was typed as a code could be; raise MalformedRequest for what no ticket can have."""
    if not isinstance(text, str) or not text.strip():
        raise MalformedRequest
    code = text.strip()
    if not _TYPED.fullmatch(code):
        raise MalformedRequest(NO_CODE)
    return code
