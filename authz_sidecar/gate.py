"""The gate: one pure decision for each media request. It knows no HTTP, no clock and no files.

The order of the checks is the one in docs/reference/gate.md; the first failure wins. The reason is precise in the log
and uniform to the client.
"""

from collections.abc import Callable
from enum import StrEnum
from typing import Final, NamedTuple

from authz_sidecar.contract.playback_token import Claims, TokenFromTheFuture, TokenRefused
from authz_sidecar.revocations import Revocations


class Reason(StrEnum):
    """Why a request is refused."""

    NOT_READY = "not-ready"
    MISSING = "missing"
    INVALID = "invalid"
    CLOCK = "clock"
    EXPIRED = "expired"
    PATH = "path"
    PROBE = "probe"
    EVENT = "event"
    HELD = "held"
    REVOKED = "revoked"
    SESSION = "session"


class MediaRequest(NamedTuple):
    """The request that nginx asks about: the token of the first carrier, the path to be served, and the method."""

    token: str | None
    path: str
    method: str


class Verdict(NamedTuple):
    """Allow if `refusal` is None. `claims` are set if the token's signature is valid, for the log."""

    refusal: Reason | None
    claims: Claims | None = None


NOT_READY: Final = Verdict(Reason.NOT_READY)
_MISSING: Final = Verdict(Reason.MISSING)
_INVALID: Final = Verdict(Reason.INVALID)
_CLOCK: Final = Verdict(Reason.CLOCK)


def decide(
    request: MediaRequest, verify: Callable[[str], Claims], revocations: Revocations | None, now: float
) -> Verdict:
    """Decide one request. `verify` raises TokenRefused; `revocations` is None until they are known."""
    if revocations is None:
        return NOT_READY
    if request.token is None:
        return _MISSING
    try:
        claims = verify(request.token)
    except TokenFromTheFuture:
        return _CLOCK
    except TokenRefused:
        return _INVALID
    return Verdict(_refusal(request, claims, revocations, now), claims)


def _refusal(request: MediaRequest, claims: Claims, revocations: Revocations, now: float) -> Reason | None:
    if claims.is_expired(now):
        return Reason.EXPIRED
    if not request.path.startswith(claims.sp):
        return Reason.PATH
    if claims.probe and request.method != "HEAD":
        return Reason.PROBE
    if revocations.events.refuses(claims.eid, claims.iat):
        return Reason.EVENT
    if revocations.events.holds(claims.eid, now) and not claims.passes_closed_doors:
        return Reason.HELD
    if claims.sub and revocations.codes.refuses(claims.sub, claims.iat):
        return Reason.REVOKED
    if claims.sid and revocations.sessions.refuses(claims.sid, claims.iat):
        return Reason.SESSION
    return None
