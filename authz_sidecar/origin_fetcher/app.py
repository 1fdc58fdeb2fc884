"""The fetcher's ASGI application: fetch a file for nginx from an origin, and relay what may be passed on.

It stores nothing and authorizes nobody: nginx has the verdict and the cache. It uses no cookies, redirects or proxies.
"""

import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import anyio
import httpx2
import structlog
from cachetools import TTLCache
from starlette.types import Message, Receive, Scope, Send

from authz_sidecar.contract.origin_settings import OriginSettings
from authz_sidecar.origin_fetcher import bounds
from authz_sidecar.origin_fetcher.answers import Accepted, Refused, accept, explain, header_text
from authz_sidecar.origin_fetcher.bounds import Bounds
from authz_sidecar.origin_fetcher.metrics import CONTENT_TYPE, FetcherMetrics
from authz_sidecar.origin_fetcher.targets import AllowedOrigins, NoOrigin, OriginRefused, Target

_CONNECT_SECONDS: Final = 2.0
_CONNECTIONS: Final = httpx2.Limits(max_connections=1000, max_keepalive_connections=64, keepalive_expiry=15.0)
_FORWARDED_HEADERS: Final = frozenset({b"range", b"if-none-match", b"if-modified-since"})
_RETRY_WITHIN_SECONDS: Final = 1.0
_RUNAWAY_SECONDS: Final = 5.0
_LOG_AGAIN_SECONDS: Final = 60.0
_LIVE: Final = "/live"
_METRICS: Final = "/metrics"
_END: Final[Message] = {"type": "http.response.body", "body": b""}

log = structlog.get_logger()
Headers = Mapping[bytes, bytes]


class BrokeOff(Exception):
    """The origin's answer was cut off midway; the message says why."""


@dataclass
class Fetcher:
    """One connection pool. `runaways` are URLs whose answer was just cut off, so that waiting requests fail at once."""

    origins: AllowedOrigins
    transport: httpx2.AsyncHTTPTransport
    runaways: TTLCache[str, str] = field(default_factory=lambda: TTLCache(1000, _RUNAWAY_SECONDS))
    metrics: FetcherMetrics = field(default_factory=FetcherMetrics)
    complaints: TTLCache[tuple[str, str], bool] = field(default_factory=lambda: TTLCache(1000, _LOG_AGAIN_SECONDS))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif scope["path"] == _LIVE:
            await _respond(send, Accepted(200, []), b"alive")
        elif scope["path"] == _METRICS:
            await _respond(send, Accepted(200, [(b"content-type", CONTENT_TYPE)]), self.metrics.text())
        else:
            with self.metrics.fetching(send) as counted:
                await self._answer(scope, counted)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self.transport.aclose()
        await send({"type": "lifespan.shutdown.complete"})

    async def _answer(self, scope: Scope, send: Send) -> None:
        """Answer 200, 206, 304, 404 or 416 as the origin does, and anything else with 502. Failures are logged."""
        path, query, headers = scope["path"], scope["query_string"].decode("latin-1"), dict(scope["headers"])
        limits = bounds.limits_for(path, is_blocking=bool(query))
        try:
            target = self.origins.target(path, query, headers)
            async with self._open_response(target, headers, limits) as answer:
                accepted = accept(answer, path, frozenset(_FORWARDED_HEADERS & headers.keys()))
                await self._relay(target, answer, accepted, limits, send)
        except NoOrigin:
            await _respond(send, Accepted(404, []))
        except (Refused, OriginRefused) as refusal:
            self._log_refusal(path, str(refusal))
            await _respond(send, Accepted(502, [(b"x-origin-answer", header_text(str(refusal)))]))
        except BrokeOff as refusal:  # the head was already sent: nginx does not cache an incomplete response
            self.metrics.note_broken_off()
            self._log_refusal(path, str(refusal))

    @asynccontextmanager
    async def _open_response(self, target: Target, headers: Headers, limits: Bounds) -> AsyncIterator[httpx2.Response]:
        """Send the request to the origin, and yield the response once its head has arrived. Raise Refused."""
        if why := self.runaways.get(target.url):
            raise Refused(why)
        try:
            with anyio.fail_after(_CONNECT_SECONDS + limits.first_seconds):
                answer = await self._send_with_retry(_request(target, headers, limits))
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError, TimeoutError) as error:
            raise Refused(explain(error)) from None
        try:
            yield answer
        finally:
            with anyio.CancelScope(shield=True):
                await answer.aclose()

    async def _send_with_retry(self, request: httpx2.Request) -> httpx2.Response:
        """Send the request again if a kept-alive connection turns out to be closed."""
        began = anyio.current_time()
        try:
            return await self.transport.handle_async_request(request)
        except (httpx2.RemoteProtocolError, httpx2.ReadError, httpx2.WriteError):
            if anyio.current_time() - began > _RETRY_WITHIN_SECONDS:
                raise
            return await self.transport.handle_async_request(request)

    async def _relay(
        self, target: Target, answer: httpx2.Response, accepted: Accepted, limits: Bounds, send: Send
    ) -> None:
        """Relay the body. Raise Refused before anything was sent, BrokeOff afterwards."""
        if not accepted.has_body:
            await _respond(send, accepted)
            return
        has_begun = False
        seconds = limits.until_end(accepted.length)
        try:
            with anyio.fail_after(seconds):
                if limits.is_small:
                    whole = b"".join([part async for part in bounds.body(answer, limits, accepted.length)])
                    await _respond(send, accepted, whole)
                    return
                async for part in bounds.body(answer, limits, accepted.length):
                    if not has_begun:
                        await send(_head(accepted))
                    has_begun = True
                    await send({"type": "http.response.body", "body": part, "more_body": True})
                await (send(_END) if has_begun else _respond(send, accepted))
        except (Refused, httpx2.HTTPError, OSError, TimeoutError) as error:
            why = str(error) if isinstance(error, Refused) else f"{answer.status_code}, and then {explain(error)}"
            self.runaways[target.url] = why
            raise (BrokeOff if has_begun else Refused)(why) from None

    def _log_refusal(self, path: str, why: str) -> None:
        """Log the reason, at most once a minute per event and reason."""
        event = path.split("/")[1] if path.count("/") > 1 else ""
        if (event, why) not in self.complaints:
            self.complaints[event, why] = True
            log.warning("origin_refused", file=path, answer=why)


def create_app(settings: OriginSettings, authorities: Path | None) -> Fetcher:
    """Return the application; `authorities` is the file of trusted certificate authorities."""
    trust = ssl.create_default_context(cafile=authorities)
    trust.minimum_version = ssl.TLSVersion.TLSv1_2
    return Fetcher(
        AllowedOrigins(settings), httpx2.AsyncHTTPTransport(verify=trust, trust_env=False, limits=_CONNECTIONS)
    )


def _request(target: Target, headers: Headers, limits: Bounds) -> httpx2.Request:
    """Build the request. It contains nothing of the viewer, and the transport never logs the origin's credentials."""
    ours = {b"User-Agent": b"StreamGate", b"Accept-Encoding": b"identity"}
    if target.header:
        name, value = (text.encode() for text in target.header)
        ours = {field: text for field, text in ours.items() if field.lower() != name.lower()} | {name: value}
    ours |= {field: headers[field] for field in _FORWARDED_HEADERS if field in headers}
    timeout = httpx2.Timeout(limits.first_seconds, connect=_CONNECT_SECONDS, pool=_CONNECT_SECONDS)
    extensions = {"timeout": timeout.as_dict()}
    return httpx2.Request("GET", target.url, headers=list(ours.items()), extensions=extensions)


def _head(accepted: Accepted) -> Message:
    return {"type": "http.response.start", "status": accepted.status, "headers": accepted.headers}


async def _respond(send: Send, accepted: Accepted, whole: bytes = b"") -> None:
    is_sized = accepted.status not in {204, 304}
    await send(_head(accepted.with_length(len(whole)) if is_sized else accepted))
    await send({"type": "http.response.body", "body": whole})
