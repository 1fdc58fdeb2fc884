"""A fast path for the feed around routing and middleware, which cost several times as much as the response itself.

A change is sent to every follower at once: with a thousand of them all work per follower counts. Any request that is
not simple and valid takes the ordinary route and is refused there.
"""

import time
from typing import Final, cast
from urllib.parse import parse_qsl

from starlette.types import ASGIApp, Receive, Scope, Send

from control_plane.api import internal as internal_api
from control_plane.api.internal import FeedRequest
from control_plane.errors import Refusal
from control_plane.services import Services

PATH: Final = "/internal/feed"
_HEADERS: Final = [(b"content-type", b"application/json"), (b"cache-control", b"no-store")]


class FeedLane:
    """Answer simple feed requests before any other middleware."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] == PATH and scope["method"] == "GET":
            services = cast("Services", scope["state"]["services"])
            feed_request = _parse(scope, services)
            if feed_request and await _try_to_answer(services, feed_request, send):
                return
        await self._app(scope, receive, send)


def _parse(scope: Scope, services: Services) -> FeedRequest | None:
    """Return the parsed request, or None if it must be refused."""
    keys = [value for name, value in scope["headers"] if name == b"x-internal-api-key"]
    try:
        pairs = _pairs(scope["query_string"].decode("ascii"))
        is_unambiguous = len(keys) == 1 and len(dict(pairs)) == len(pairs)
        return internal_api.parse_feed_request(services, keys[0], dict(pairs)) if is_unambiguous else None
    except (ValueError, Refusal):
        return None


def _pairs(query: str) -> list[tuple[str, str]]:
    """Parse a query string; one without escapes, like a sidecar's, only needs splitting."""
    if "%" in query or "+" in query:
        return parse_qsl(query, keep_blank_values=True, strict_parsing=True)
    parts = [part.partition("=") for part in query.split("&")]
    if not all(sign for _, sign, _ in parts):
        raise ValueError("a part without a value")
    return [(name, value) for name, _, value in parts]


async def _try_to_answer(services: Services, feed_request: FeedRequest, send: Send) -> bool:
    """Send the next page and return True; return False if reading it fails."""
    started = time.perf_counter()
    try:
        rendered = await internal_api.next_page(services, feed_request)
    except Exception:  # noqa: BLE001 - the ordinary route will fail in the same way, and handles it
        return False
    length = (b"content-length", b"%d" % len(rendered.body))
    headers = [*_HEADERS, length, *internal_api.page_headers(services, rendered)]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": rendered.body})
    services.metrics.note_feed_answer(time.perf_counter() - started)
    return True
