"""The playback token: signed by the control plane, verified by the sidecar.

Compatibility rule: append-only. A sidecar refuses claims it does not know, so every sidecar must know a new claim
before the first token carries it, and no claim ever changes its meaning.
"""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import jwt

from authz_sidecar.contract.keys import KeyRing
from authz_sidecar.contract.strict_json import JsonRefused, parse_object

MAX_TOKEN_LENGTH = 4096
LEEWAY_SECONDS = 5
CLOCK_SKEW_SECONDS = 60  # how far the issuer's clock may be ahead of the reader's
LATEST_TIME = 253_402_300_799  # the last second of the year 9999

EVENT_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)
CODE = re.compile(r"[0-9A-Za-z]{8,64}", re.ASCII)
SESSION_ID = re.compile(r"[0-9A-Za-z_-]{16,64}", re.ASCII)
# For tokens with which the control plane itself reads playlists. No ticket has this code, no viewer has this sid.
READER_SUB = "TheControlPlaneReadsPlaylistsAndIsNoViewer"
READER_SID = "the-control-plane-reads-playlists"
# For tokens with which an organiser previews a stream, also behind closed doors.
PREVIEW_SUB = "AnOrganiserPreviewsTheStreamAndIsNoViewer"
PREVIEW_SID = "an-organiser-previews-the-stream"
NON_VIEWER_SIDS = frozenset({READER_SID, PREVIEW_SID})
_TOKEN = re.compile(r"[0-9A-Za-z_-]+\.[0-9A-Za-z_-]+\.[0-9A-Za-z_-]+", re.ASCII)
_HEADER_NAMES = {"alg", "typ", "kid"}
_ALGORITHMS = ["HS256", "EdDSA"]
_JWS = jwt.PyJWS(algorithms=_ALGORITHMS)


class TokenRefused(Exception):
    """The text is not a valid playback token. The message is for the operator's log, never for the client."""


class TokenFromTheFuture(TokenRefused):
    """The signature is valid, but `iat` is in the future: this clock is behind, or the issuer's is ahead."""


class UnknownKey(TokenRefused):
    """The token names a key that the ring does not contain, or does not contain yet."""


@dataclass(frozen=True, slots=True)
class Claims:
    """The claims of a token. Times are whole seconds since 1970 (RFC 7519 NumericDate, integers only).

    A probe token (`probe` is True) has neither `sub` nor `sid`; every other token has both. A preview token (`preview`
    is True) has the reserved ones. `sp` is the only path prefix that the token is valid for.
    """

    eid: str
    iat: int
    exp: int
    sub: str | None = None
    sid: str | None = None
    probe: bool = False
    preview: bool = False
    sp: str = field(init=False, repr=False, compare=False)  # computed once, used by every media request

    def __post_init__(self) -> None:
        object.__setattr__(self, "sp", stream_prefix(self.eid))

    def is_expired(self, now: float) -> bool:
        return now >= self.exp + LEEWAY_SECONDS

    @property
    def passes_closed_doors(self) -> bool:
        return self.preview or self.sid == READER_SID


def stream_prefix(event_id: str) -> str:
    return f"/streams/{event_id}/"


def mint(claims: Claims, ring: KeyRing) -> str:
    """Sign the claims with the ring's first key. Raise ValueError if that key can only verify."""
    key = ring.signing_key
    if key.signing is None:
        raise ValueError("This key ring can verify playback tokens, not mint them.")
    payload: dict[str, Any] = {"eid": claims.eid, "sp": claims.sp, "iat": claims.iat, "exp": claims.exp}
    payload |= {"probe": True} if claims.probe else {"sub": claims.sub, "sid": claims.sid}
    payload |= {"preview": True} if claims.preview else {}
    headers = {"kid": key.kid} if key.kid else None
    return jwt.encode(payload, key.signing, algorithm=key.algorithm, headers=headers)


def verify(token: str, ring: KeyRing, now: float) -> Claims:
    """Return the claims of a well-formed token with a valid signature; raise TokenRefused otherwise.

    Expiry is left to the caller: this result stays true as long as the key ring does not change, and may be cached.
    Stricter than PyJWT on purpose (RFC 8725): see `tests/unit/test_playback_token.py`.
    """
    if len(token) > MAX_TOKEN_LENGTH or not _TOKEN.fullmatch(token):
        raise TokenRefused("not three base64url parts of at most 4,096 characters in all")
    header, _, signature = token.split(".")
    key = ring.find(_key_id(_parse_part(header)))
    if key is None:
        raise UnknownKey("unknown key")
    _check_canonical(signature)
    try:
        verified = _JWS.decode_complete(token, key.verifying, algorithms=[key.algorithm])
    except jwt.InvalidTokenError as error:
        raise TokenRefused(str(error)) from None
    return _claims(_parse(verified["payload"]), now)


def _parse_part(part: str) -> dict[str, Any]:
    try:
        return _parse(urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except ValueError as error:
        raise TokenRefused(str(error)) from None


def _parse(data: bytes) -> dict[str, Any]:
    try:
        return parse_object(data)
    except JsonRefused as error:
        raise TokenRefused(str(error)) from None


def _key_id(header: Mapping[str, Any]) -> str | None:
    if not header.keys() <= _HEADER_NAMES or header.get("typ", "JWT") != "JWT":
        raise TokenRefused("unexpected header parameters")
    kid = header.get("kid")
    if "kid" in header and not isinstance(kid, str):
        raise TokenRefused("a kid that is not a string")
    return kid


def _check_canonical(signature: str) -> None:
    """Refuse a second encoding of a valid signature (RFC 4648 section 3.5: unused bits that are not zero)."""
    try:
        canonical = urlsafe_b64encode(urlsafe_b64decode(signature + "=" * (-len(signature) % 4)))
    except ValueError:
        raise TokenRefused("a signature that is not base64url") from None
    if canonical.rstrip(b"=") != signature.encode():
        raise TokenRefused("a non-canonical signature")


def _is_time(value: Any) -> bool:
    return type(value) is int and 0 <= value <= LATEST_TIME


def _matches(pattern: re.Pattern[str]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, str) and pattern.fullmatch(value) is not None


_COMMON: dict[str, Callable[[Any], bool]] = {
    "eid": _matches(EVENT_ID),
    "sp": lambda value: isinstance(value, str),
    "iat": _is_time,
    "exp": _is_time,
}
_SESSION_CLAIMS = _COMMON | {"sub": _matches(CODE), "sid": _matches(SESSION_ID)}
_PROBE_CLAIMS = _COMMON | {"probe": lambda value: value is True}
_PREVIEW_CLAIMS = _COMMON | {
    "sub": lambda value: value == PREVIEW_SUB,
    "sid": lambda value: value == PREVIEW_SID,
    "preview": lambda value: value is True,
}


def _claims(payload: dict[str, Any], now: float) -> Claims:
    expected = _SESSION_CLAIMS
    if "probe" in payload or "preview" in payload:
        expected = _PROBE_CLAIMS if "probe" in payload else _PREVIEW_CLAIMS
    if payload.keys() != expected.keys():
        raise TokenRefused("not exactly the claims of a playback token")
    wrong = [name for name, is_right in expected.items() if not is_right(payload[name])]
    if wrong:
        raise TokenRefused(f"{wrong[0]} has the wrong type or range")
    prefix = payload.pop("sp")
    claims = Claims(**payload)
    if prefix != claims.sp:
        raise TokenRefused("sp is not the event's stream prefix")
    if claims.iat >= claims.exp:
        raise TokenRefused("iat is not before exp")
    if claims.iat > now + CLOCK_SKEW_SECONDS:
        raise TokenFromTheFuture("iat is in the future")
    return claims
