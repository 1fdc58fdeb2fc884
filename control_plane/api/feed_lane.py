"""The feed's own way past routes and middlewares, which cost several times what its answer does.

A change is told to every follower at once: with a thousand of them all that is done for each counts. What is not a
plain good question goes the ordinary way and is refused there.
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
    """Stands before everything else."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] == PATH and scope["method"] == "GET":
            services = cast("Services", scope["state"]["services"])
            question = _question(scope, services)
            if question and await _is_answered(services, question, send):
                return
        await self._app(scope, receive, send)


def _question(scope: Scope, services: Services) -> FeedRequest | None:
    """Read what is asked; None for what has to be refused."""
    shown = [value for name, value in scope["headers"] if name == b"x-internal-api-key"]
    try:
        asked = _pairs(scope["query_string"].decode("ascii"))
        is_plain = len(shown) == 1 and len(dict(asked)) == len(asked)
        return internal_api.question(services, shown[0], dict(asked)) if is_plain else None
    except (ValueError, Refusal):
        return None


def _pairs(query: str) -> list[tuple[str, str]]:
    """Read a query; where nothing in it is escaped, as in a sidecar's, it needs no more than cutting up."""
    if "%" in query or "+" in query:
        return parse_qsl(query, keep_blank_values=True, strict_parsing=True)
    cut = [part.partition("=") for part in query.split("&")]
    if not all(sign for _, sign, _ in cut):
        raise ValueError("a part without a value")
    return [(name, value) for name, _, value in cut]


async def _is_answered(services: Services, question: FeedRequest, send: Send) -> bool:
    began = time.perf_counter()
    try:
        handout = await internal_api.next_page(services, question)
    except Exception:  # noqa: BLE001 - it happens once more on the ordinary way, which knows what to answer
        return False
    length = (b"content-length", b"%d" % len(handout.body))
    headers = [*_HEADERS, length, *internal_api.headers_of(services, handout)]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": handout.body})
    services.metrics.note_feed_answer(time.perf_counter() - began)
    return True
