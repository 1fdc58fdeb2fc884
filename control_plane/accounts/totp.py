"""Time-based one-time passwords as all authenticator apps generate them (RFC 6238: SHA-1, six digits, 30 seconds).

This module knows nothing about users. So that no code is accepted twice, callers store its step and pass it as `after`.
"""

import hmac
import secrets
from base64 import b32decode, b32encode
from datetime import datetime
from typing import Final
from urllib.parse import quote, urlencode

from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP

STEP_SECONDS: Final = 30
DIGITS: Final = 6
_WINDOW: Final = 1  # steps before and after: for inaccurate clocks, and the time that typing takes
_SECRET_BYTES: Final = 20  # SHA-1's own length (RFC 4226, section 4)


def new_secret() -> str:
    return b32encode(secrets.token_bytes(_SECRET_BYTES)).decode()


def step_at(now: datetime) -> int:
    return int(now.timestamp()) // STEP_SECONDS


def code_at(secret: str, step: int) -> str:
    """Return the code of a time step. Raise binascii.Error if the secret is not base32."""
    return TOTP(b32decode(secret), DIGITS, SHA1(), STEP_SECONDS).generate(step * STEP_SECONDS).decode()  # noqa: S303


def matching_step(secret: str, code: str, now: datetime, after: int | None = None) -> int | None:
    """Return the time step of a code; None if it is wrong, or if its step is not later than `after`."""
    current, matching = step_at(now), None
    for step in range(current - _WINDOW, current + _WINDOW + 1):
        is_right = hmac.compare_digest(code_at(secret, step).encode(), code.encode())
        if is_right and (after is None or step > after):
            matching = step
    return matching


def uri(secret: str, issuer: str, username: str) -> str:
    """Return the URI that an app reads from a QR code (github.com/google/google-authenticator/wiki/Key-Uri-Format).

    `cryptography` writes a space as "+", which some apps show as it is.
    """
    issuer = issuer.replace(":", " ")  # the colon separates issuer and name
    query = {"secret": secret, "issuer": issuer, "algorithm": "SHA1", "digits": DIGITS, "period": STEP_SECONDS}
    return f"otpauth://totp/{quote(issuer)}:{quote(username)}?{urlencode(query, quote_via=quote)}"
