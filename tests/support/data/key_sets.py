"""JWK sets for tests, and tokens signed with their keys."""

import json
import time
from base64 import urlsafe_b64encode
from pathlib import Path
from typing import Any
from uuid import uuid4

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from authz_sidecar.contract.key_set import parse_key_set
from authz_sidecar.contract.playback_token import Claims, mint
from tests.support.data.forging import EVENT_ID, SID

Jwk = dict[str, Any]


def base64url(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def oct_key(kid: str | None, secret: bytes = b"s" * 32, **members: Any) -> Jwk:
    return {"kty": "oct", "k": base64url(secret)} | ({} if kid is None else {"kid": kid}) | members


def ed25519_key(kid: str = "ed", **members: Any) -> Jwk:
    private = Ed25519PrivateKey.generate()
    x, d = private.public_key().public_bytes_raw(), private.private_bytes_raw()
    return {"kty": "OKP", "crv": "Ed25519", "kid": kid, "x": base64url(x), "d": base64url(d)} | members


def public(key: Jwk) -> Jwk:
    return {name: value for name, value in key.items() if name != "d"}


def key_set(*keys: Jwk) -> bytes:
    return json.dumps({"keys": keys}).encode()


def write_keys(file: Path, *keys: Jwk) -> None:
    """Replace the file by a rename, as `streamgate key rotate` does."""
    write_text(file, key_set(*keys))


def write_text(file: Path, text: bytes) -> None:
    file.parent.mkdir(exist_ok=True)
    aside = file.with_name(f".{uuid4()}")
    aside.write_bytes(text)
    aside.replace(file)


def token_of(*keys: Jwk) -> str:
    """Mint a token issued now with the first key."""
    now = int(time.time())
    claims = Claims(eid=EVENT_ID, iat=now, exp=now + 3600, sub="K7F2X9M4B1C3", sid=SID)
    return mint(claims, parse_key_set(key_set(*keys)))
