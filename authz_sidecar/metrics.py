"""The sidecar's Prometheus metrics, collected on each scrape. They are never served on nginx's public port.

Label values are reasons and kinds, never a code, token, session or address.
"""

from collections.abc import Awaitable, Callable, Iterator
from itertools import accumulate
from typing import Protocol

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import Response

from authz_sidecar.activity import Reporter
from authz_sidecar.clock_check import ClockCheck
from authz_sidecar.follower import Follower
from authz_sidecar.meter import BOUNDS, Meter

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class TokenCache(Protocol):
    """The verifier's cache counters."""

    @property
    def hits(self) -> int: ...
    @property
    def misses(self) -> int: ...


class SidecarCollector(Collector):
    def __init__(
        self, meter: Meter, cache: TokenCache, follower: Follower, reporter: Reporter, clock: ClockCheck
    ) -> None:
        self._meter = meter
        self._clock = clock
        self._cache = cache
        self._follower = follower
        self._reporter = reporter

    def collect(self) -> Iterator[Metric]:
        yield self._verdicts()
        yield self._decisions()
        yield _counter("streamgate_token_cache_hits", "Tokens whose signature was already verified.", self._cache.hits)
        yield _counter("streamgate_token_cache_misses", "Tokens whose signature was checked.", self._cache.misses)
        yield from self._feed()
        yield _gauge("streamgate_activity_unreported_sessions", "Sessions not reported yet.", len(self._reporter))

    def _verdicts(self) -> Metric:
        family = CounterMetricFamily("streamgate_verdicts", "Answers to nginx by reason.", labels=["reason"])
        for refusal, count in self._meter.verdicts.items():
            family.add_metric(["allowed" if refusal is None else refusal.value], count)
        return family

    def _decisions(self) -> Metric:
        bounds = [*map(str, BOUNDS), "+Inf"]
        counts = accumulate(self._meter.decisions)
        return HistogramMetricFamily(
            "streamgate_decision_seconds",
            "Time to decide one request, excluding transport.",
            buckets=list(zip(bounds, counts, strict=True)),
            sum_value=self._meter.seconds,
        )

    def _feed(self) -> Iterator[Metric]:
        follower, now = self._follower, self._follower.clock()
        revocations = follower.revocations(now)
        entries = GaugeMetricFamily("streamgate_revoked_entries", "Entries in force by kind.", labels=["kind"])
        for kind, subjects in revocations.by_kind.items() if revocations is not None else ():
            entries.add_metric([kind.value], len(subjects))
        yield entries
        skipped = follower.skipped.total()
        yield _counter("streamgate_feed_skipped_entries", "Entries of kinds that this sidecar does not know.", skipped)
        yield _gauge("streamgate_ready", "1 when the revocations are known.", revocations is not None)
        reachable = follower.control_plane_reachable
        yield _gauge("streamgate_control_plane_reachable", "1 if the last feed request was answered.", reachable)
        if (age := follower.seconds_since_sync) is not None:
            yield _gauge("streamgate_seconds_since_last_sync", "Time since the feed last answered.", max(0.0, age))
        if self._clock.seconds is not None:
            meaning = "By how much this clock is ahead of the control plane's; below 0 it is behind."
            yield _gauge("streamgate_clock_off_seconds", meaning, self._clock.seconds)
        if follower.lag_seconds is not None:
            lag = follower.lag_seconds
            yield _gauge("streamgate_feed_lag_seconds", "Time from the last change until it took effect here.", lag)


def metrics_endpoint(collector: Collector) -> Callable[[Request], Awaitable[Response]]:
    """Return an endpoint that serves these metrics and those of the process (memory, CPU, open files)."""
    registry = CollectorRegistry()
    registry.register(collector)
    ProcessCollector(registry=registry)

    async def metrics(_request: Request) -> Response:
        return Response(generate_latest(registry), headers={"Content-Type": CONTENT_TYPE, "Cache-Control": "no-store"})

    return metrics


def _counter(name: str, meaning: str, value: float) -> Metric:
    return CounterMetricFamily(name, meaning, value=value)


def _gauge(name: str, meaning: str, value: float) -> Metric:
    return GaugeMetricFamily(name, meaning, value=value)
