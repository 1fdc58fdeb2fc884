"""Tokens built by hand, byte by byte, so that each is wrong in only one way."""

import hashlib
import hmac
import json
import time
from base64 import urlsafe_b64encode
from typing import Any

from authz_sidecar.contract.keys import KeyRing

NOW = 1_800_000_000
SECRET = "a signing secret of tests, long enough"
RING = KeyRing.from_secret(SECRET)
EVENT_ID = "3f2b8c1e-5d4a-4b6f-9e7d-0a1b2c3d4e5f"
OTHER_EVENT_ID = "9c8d7e6f-1a2b-4c3d-8e4f-5a6b7c8d9e0f"
CODE = "K7F2X9M4B1C3"
SID = "s" * 22
HEADER = {"alg": "HS256", "typ": "JWT"}
CLAIMS = {
    "eid": EVENT_ID,
    "sp": f"/streams/{EVENT_ID}/",
    "iat": NOW - 10,
    "exp": NOW + 3590,
    "sub": CODE,
    "sid": SID,
}
PROBE_CLAIMS = {name: CLAIMS[name] for name in ("eid", "sp", "iat", "exp")} | {"probe": True}


def encode(part: bytes) -> str:
    return urlsafe_b64encode(part).rstrip(b"=").decode()


def to_bytes(part: bytes | str | dict[str, Any] | list[Any]) -> bytes:
    if isinstance(part, bytes):
        return part
    return (part if isinstance(part, str) else json.dumps(part)).encode()


def forge(
    header: bytes | str | dict[str, Any],
    payload: bytes | str | dict[str, Any] | list[Any],
    secret: str | bytes = SECRET,
    digest: str = "sha256",
) -> str:
    """Sign any two parts with HMAC, whatever the header says."""
    signed = f"{encode(to_bytes(header))}.{encode(to_bytes(payload))}"
    return f"{signed}.{encode(signature(signed, secret, digest))}"


def signature(signed: str, secret: str | bytes = SECRET, digest: str = "sha256") -> bytes:
    key = secret.encode() if isinstance(secret, str) else secret
    return hmac.new(key, signed.encode(), getattr(hashlib, digest)).digest()


def with_header(**members: Any) -> str:
    return forge(HEADER | members, CLAIMS)


def with_claims(**claims: Any) -> str:
    return forge(HEADER, CLAIMS | claims)


def fresh(**claims: Any) -> str:
    """Return a token that is valid from the collection of the tests to their end."""
    now = int(time.time())
    return with_claims(**{"iat": now, "exp": now + 86_400} | claims)


def with_claim_text(name: str, text: str) -> str:
    """Replace a claim by JSON text that Python would not write, such as NaN or 1e308."""
    return forge(HEADER, json.dumps(CLAIMS | {name: "PLACE"}).replace('"PLACE"', text))


def without_claim(name: str) -> str:
    return forge(HEADER, {key: value for key, value in CLAIMS.items() if key != name})


def good_token() -> str:
    return forge(HEADER, CLAIMS)
