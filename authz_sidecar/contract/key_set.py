"""The content of the key file: a JWK set (RFC 7517), parsed strictly. No error message may ever show key material.

`kty: oct` is a secret for HS256 (RFC 7518 section 6.4), `kty: OKP` with `crv: Ed25519` a key for EdDSA (RFC 8037);
without `d` it is a public key, which can verify but not sign. Every key has a unique `kid`, except for at most one
`oct` key: the former PLAYBACK_SIGNING_SECRET, whose tokens carry none.
"""

import re
from base64 import urlsafe_b64decode
from typing import Any, Final

import jwt
from jwt.algorithms import OKPAlgorithm

from authz_sidecar.contract.keys import MINIMUM_SECRET_LENGTH, Key, KeyRing, KeysRefused
from authz_sidecar.contract.strict_json import JsonRefused, parse_object

_KID: Final = re.compile(r"[0-9A-Za-z._-]{1,64}", re.ASCII)
_BASE64URL: Final = re.compile(r"[0-9A-Za-z_-]+", re.ASCII)
_ED25519_BYTES: Final = 32


def parse_key_set(data: bytes) -> KeyRing:
    """Return the key ring that the JWK set describes, in the same order. Raise KeysRefused."""
    try:
        members = parse_object(data).get("keys")
    except JsonRefused:
        raise KeysRefused("the file is not one JSON object") from None
    if not isinstance(members, list) or not members:
        raise KeysRefused('the file has no "keys", or none in it')
    keys: list[Key] = []
    for number, member in enumerate(members, 1):
        try:
            keys.append(_key(member, {key.kid for key in keys}))
        except KeysRefused as refusal:
            raise KeysRefused(f"key {number} {refusal}") from None
    return KeyRing(keys)


def _key(member: Any, taken: set[str | None]) -> Key:
    if not isinstance(member, dict):
        raise KeysRefused("is not an object")
    kid = _kid(member)
    if kid in taken:
        raise KeysRefused("has the same kid as another key" if kid else "is the second one without a kid")
    if member.get("use", "sig") != "sig":
        raise KeysRefused("is not for signatures (use)")
    key = _secret_key(member, kid) if member.get("kty") == "oct" else _ed25519_key(member, kid)
    if member.get("alg", key.algorithm) != key.algorithm:
        raise KeysRefused(f"has another alg than {key.algorithm}")
    return key


def _kid(member: dict[str, Any]) -> str | None:
    kid = member.get("kid")
    if "kid" not in member and member.get("kty") == "oct":
        return None
    if not isinstance(kid, str) or not _KID.fullmatch(kid):
        raise KeysRefused("needs a kid of 1 to 64 letters, digits, dots, hyphens or underscores")
    return kid


def _secret_key(member: dict[str, Any], kid: str | None) -> Key:
    secret = _bytes_of(member, "k")
    if len(secret) < MINIMUM_SECRET_LENGTH:
        raise KeysRefused(f"is shorter than {MINIMUM_SECRET_LENGTH} bytes")
    return Key(kid, "HS256", secret, secret)


def _ed25519_key(member: dict[str, Any], kid: str | None) -> Key:
    if (member.get("kty"), member.get("crv")) != ("OKP", "Ed25519"):
        raise KeysRefused("is neither kty oct nor kty OKP with crv Ed25519")
    if any(len(_bytes_of(member, name)) != _ED25519_BYTES for name in {"x", "d"} & {"x", *member}):
        raise KeysRefused(f"has an x or d that is not {_ED25519_BYTES} bytes")
    try:
        key: Any = OKPAlgorithm.from_jwk(member)
    except jwt.InvalidKeyError:
        raise KeysRefused("has an x that does not belong to its d, or is not a point on the curve") from None
    return Key(kid, "EdDSA", key.public_key(), key) if "d" in member else Key(kid, "EdDSA", key, None)


def _bytes_of(member: dict[str, Any], name: str) -> bytes:
    """Decode base64url without padding (RFC 7515 section 2)."""
    value = member.get(name)
    if not isinstance(value, str) or not _BASE64URL.fullmatch(value) or len(value) % 4 == 1:
        raise KeysRefused(f"has no {name} in base64url")
    return urlsafe_b64decode(value + "=" * (-len(value) % 4))
