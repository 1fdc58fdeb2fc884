"""Codes: the 12 base62 characters a viewer types."""

import secrets
import string
from typing import Final

from authz_sidecar.contract.playback_token import CODE
from control_plane.refusals import MalformedRequest

ALPHABET: Final = string.digits + string.ascii_uppercase + string.ascii_lowercase
LENGTH: Final = 12


def new_code() -> str:
    """Draw a code: 71 bits from the system's random source, each character equally likely."""
    return "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))


def parse_code(text: object) -> str:
    """Return what was typed as a code could be; raise MalformedRequest for what no ticket can have."""
    if not isinstance(text, str) or not text.strip():
        raise MalformedRequest
    code = text.strip()
    if not CODE.fullmatch(code):
        raise MalformedRequest("An access code has letters and digits only. Please check your ticket and try again.")
    return code
