"""The endpoint that nginx asks. Bare ASGI: no request or response objects on the path of every media request."""

import time
from collections.abc import Callable
from functools import lru_cache
from typing import Final

from starlette.types import Receive, Scope, Send

from authz_sidecar.carriers import token_of
from authz_sidecar.contract.playback_token import Claims
from authz_sidecar.gate import MediaRequest, Reason, Verdict, decide
from authz_sidecar.revocations import Revocations
from authz_sidecar.verifier import ticket_fingerprint

# auth_request lets 2xx, 401 and 403 through and turns everything else into 500; nginx makes the client's status
# of the reason (nginx/snippets/refusals.conf).
_STATUS: Final = {Reason.NOT_READY: 503, Reason.MISSING: 401, Reason.INVALID: 401}
_ALLOWED, _REFUSED = 204, 403

Headers = list[tuple[bytes, bytes]]


class Authorize:
    """Answers 204, 401, 403 or 503, with X-Gate-Reason for a refusal and X-Gate-Ticket for the access log."""

    def __init__(self, verify: Callable[[str], Claims], revocations: Callable[[float], Revocations | None]) -> None:
        self._verify = verify
        self._revocations = revocations

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        now = time.time()
        verdict = decide(_question(dict(scope["headers"])), self._verify, self._revocations(now), now)
        status, headers = _answer(verdict)
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b""})


def _question(headers: dict[bytes, bytes]) -> MediaRequest:
    path = headers.get(b"x-gate-path", b"").decode("latin-1")
    return MediaRequest(token_of(headers), path, headers.get(b"x-gate-method", b"").decode("latin-1"))


def _answer(verdict: Verdict) -> tuple[int, Headers]:
    ticket = verdict.claims.sub if verdict.claims else None
    headers = [_ticket_header(ticket)] if ticket else []
    if verdict.refusal is None:
        return _ALLOWED, headers
    headers += [(b"x-gate-reason", verdict.refusal.encode()), (b"content-length", b"0")]
    return _STATUS.get(verdict.refusal, _REFUSED), headers


@lru_cache(maxsize=10_000)
def _ticket_header(code: str) -> tuple[bytes, bytes]:
    return b"x-gate-ticket", ticket_fingerprint(code).encode()
