"""The control plane's metrics for Prometheus that are counted as it runs; api/metrics.py reads the others at a scrape.

They must never be served on nginx's public port, and no label names a viewer, ticket or session. Each process reports
its own counts; values that it reads from the database are the same in all processes.
"""

import time
from contextlib import AbstractContextManager
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
_BOUNDS: Final = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 15.0, 35.0)
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
NOT_A_ROUTE: Final = "none"


class Metrics:
    """The registry of one application: several may run in one process."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        self.requests = Counter(
            "streamgate_requests", "Answers by route and status.", ["method", "route", "status"], registry=registry
        )
        self.request_seconds = Histogram(
            "streamgate_request_seconds",
            "Time from a request's headers to the end of its response.",
            ["method", "route"],
            buckets=_BOUNDS,
            registry=registry,
        )
        self.redemptions = Counter(
            "streamgate_redemptions", "Attempts to redeem a code by outcome.", ["outcome"], registry=registry
        )
        self.webhook_deliveries = Counter(
            "streamgate_webhook_deliveries", "Attempts to deliver to a webhook.", ["outcome"], registry=registry
        )
        self.feed_followers = Gauge(
            "streamgate_feed_followers", "Sidecars with an open feed request.", registry=registry
        )

        self._feed_answers = self.requests.labels("GET", "/internal/feed", "200")
        self._feed_seconds = self.request_seconds.labels("GET", "/internal/feed")

    def note_feed_answer(self, seconds: float) -> None:
        """Count and time a response of the feed, as MeasureRequests does for all others."""
        self._feed_answers.inc()
        self._feed_seconds.observe(seconds)

    def following(self) -> AbstractContextManager[object]:
        """Count a follower of the feed for as long as its request is open."""
        return self.feed_followers.track_inprogress()


class MeasureRequests:
    """Counts and times every response by its route's template: never by the path, which clients can make up."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started_at, status = time.perf_counter(), "500"  # the status that an outer layer sends after a crash

        async def send_and_note_status(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = str(message["status"])
            await send(message)

        try:
            await self._app(scope, receive, send_and_note_status)
        finally:
            method, route = scope["method"] if scope["method"] in _METHODS else "other", template_of(scope)
            self._metrics.requests.labels(method, route, status).inc()
            self._metrics.request_seconds.labels(method, route).observe(time.perf_counter() - started_at)


def template_of(scope: Scope) -> str:
    """Return the path template of the matched route, such as /api/events/{event_id:uuid}/status."""
    route: BaseRoute | None = scope.get("route")
    if route is None:
        return NOT_A_ROUTE
    return str(scope.get("root_path", "")) + (route.path if isinstance(route, Route) else "")


def exposition(*registries: CollectorRegistry) -> bytes:
    return b"".join(generate_latest(registry) for registry in registries)
