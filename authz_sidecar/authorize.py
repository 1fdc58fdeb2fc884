"""The authorization endpoint: from the headers of nginx's subrequest to the answer.

It uses no request or response objects: every media request passes here, so anything that can be built once is cached.
"""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final, NamedTuple

from starlette.types import Message, Receive, Scope, Send

from authz_sidecar.activity import Activity
from authz_sidecar.carriers import token_of
from authz_sidecar.contract.fingerprint import fingerprint
from authz_sidecar.contract.playback_token import NON_VIEWER_SIDS, READER_SID, Claims
from authz_sidecar.gate import MediaRequest, Reason, decide
from authz_sidecar.meter import Meter
from authz_sidecar.origins import Source
from authz_sidecar.revocations import Revocations

# auth_request passes 2xx, 401 and 403 through and turns everything else into 500; nginx derives the client's status
# from the reason (nginx/snippets/verdict.conf).
_STATUS: Final = {
    None: (204, "No Content"),
    Reason.NOT_READY: (503, "Service Unavailable"),
    Reason.MISSING: (401, "Unauthorized"),
    Reason.INVALID: (401, "Unauthorized"),
    Reason.CLOCK: (503, "Service Unavailable"),
}
_FORBIDDEN: Final = (403, "Forbidden")
_READER: Final = (b"x-gate-reader", b"yes")
_END: Final[Message] = {"type": "http.response.body", "body": b""}


class Answer(NamedTuple):
    """One answer in two forms: the first ASGI message, and the bytes of a whole HTTP/1.1 response."""

    start: Message
    response: bytes

    def with_headers(self, headers: Iterable[tuple[bytes, bytes]]) -> "Answer":
        added = list(headers)
        start = {**self.start, "headers": [*self.start["headers"], *added]}
        lines = b"".join(b"%s: %s\r\n" % header for header in added)
        return Answer(start, b"%s%s\r\n" % (self.response[:-2], lines))


@dataclass
class Authorize:
    """Answer 204, 401, 403 or 503, with X-Gate-Reason for a refusal and X-Gate-Ticket for the access log.

    A 204 also carries X-Gate-Origin, the URL of the requested file, if the event has its own origin, and X-Gate-Reader
    if the control plane itself is reading the stream: nginx then adds what the origin answered.
    """

    verify: Callable[[str], Claims]
    revocations: Callable[[float], Revocations | None]
    activity: Activity = field(default_factory=Activity)
    meter: Meter = field(default_factory=Meter)
    sources: Mapping[str, Source] = field(default_factory=dict)  # by event id

    def answer(self, headers: Mapping[bytes, bytes]) -> Answer:
        """Decide the request described by these headers (names in lower case). Never raises."""
        began, now, get = time.perf_counter(), time.time(), headers.get
        path, method = get(b"x-gate-path", b"").decode("latin-1"), get(b"x-gate-method", b"").decode("latin-1")
        request = MediaRequest(token_of(headers), path, method)
        refusal, claims = decide(request, self.verify, self.revocations(now), now)
        added: list[tuple[bytes, bytes]] = []
        if refusal is None and claims is not None:
            source = self.sources.get(claims.eid)
            if source is not None:
                added += source.headers_of(path[len(claims.sp) :])
            if claims.sid == READER_SID:
                added.append(_READER)
            elif claims.sid is not None and claims.sid not in NON_VIEWER_SIDS:
                self.activity.note(claims.sid, get(b"x-gate-client", b""), get(b"x-gate-user-agent", b""), now)
        self.meter.count(refusal, time.perf_counter() - began)
        answer = _answer(refusal, claims.sub if claims else None)
        return answer.with_headers(added) if added else answer

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        await send(self.answer(dict(scope["headers"])).start)
        await send(_END)


@lru_cache(maxsize=20_000)
def _answer(refusal: Reason | None, code: str | None) -> Answer:
    status, phrase = _STATUS.get(refusal, _FORBIDDEN)
    headers = [(b"x-gate-ticket", fingerprint(code).encode())] if code else []
    if refusal is not None:
        headers += [(b"x-gate-reason", refusal.encode()), (b"content-length", b"0")]
    lines = [f"HTTP/1.1 {status} {phrase}".encode(), *(b"%s: %s" % header for header in headers), b"", b""]
    return Answer({"type": "http.response.start", "status": status, "headers": headers}, b"\r\n".join(lines))
