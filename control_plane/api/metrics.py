"""The control plane's `/internal/metrics`. nginx answers 404 to everything below /internal/ on the public port."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

import structlog
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy.exc import SQLAlchemyError
from starlette.responses import Response

from authz_sidecar.contract.feed import Cursor
from control_plane.clock import utc_now
from control_plane.metrics import CONTENT_TYPE, exposition
from control_plane.revocations import edges, revocation_feed
from control_plane.revocations.edges import EdgeState
from control_plane.services import Request, Services
from control_plane.web.requests import services

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _DatabaseValues:
    """Values read from the database."""

    watching: int
    feed_head: int
    edges: list[tuple[EdgeState, float | None]]


async def metrics(request: Request) -> Response:
    """Return the metrics; while the database is unavailable, those that do not need it."""
    app, now = services(request), utc_now()
    try:
        values = await _read(app, now)
    except SQLAlchemyError as error:
        log.error("metrics_incomplete", error=type(error).__name__)
        values = None
    snapshot = CollectorRegistry()
    snapshot.register(_FixedMetrics([*_process_metrics(app), *_database_metrics(values, now)]))
    body = exposition(app.metrics.registry, snapshot)
    return Response(body, headers={"Content-Type": CONTENT_TYPE})


async def _read(app: Services, now: datetime) -> _DatabaseValues:
    watching = await app.dashboard.watching(now)
    async with app.database.read() as db:
        head = Cursor.parse(await revocation_feed.head(db))
        values = await edges.known(db, app.receipts, now.timestamp())
        states = [(state, await edges.lag_of(db, state, now)) for state in values]
    return _DatabaseValues(watching, head.n if head else 0, states)


class _FixedMetrics(Collector):
    """A collector of metric families with fixed values."""

    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = list(families)

    def collect(self) -> Iterator[Metric]:
        return iter(self._families)


def _process_metrics(app: Services) -> Iterator[Metric]:
    queue, database = app.audit_queue, app.database
    yield _gauge("streamgate_audit_queue_waiting", "Refusals not yet written to the audit log.", len(queue))
    yield CounterMetricFamily("streamgate_audit_queue_dropped", "Refusals dropped: the queue was full.", queue.dropped)
    yield _gauge("streamgate_database_writers_waiting", "Tasks waiting to write to SQLite.", database.waiting_writers())
    in_use = GaugeMetricFamily(
        "streamgate_database_connections_in_use", "Connections of this process in use.", labels=["purpose"]
    )
    for purpose, count in database.connections_in_use().items():
        in_use.add_metric([purpose], count)
    yield in_use


def _database_metrics(values: _DatabaseValues | None, now: datetime) -> Iterator[Metric]:
    yield _gauge("streamgate_database_reachable", "1 when the database answers.", values is not None)
    if values is None:
        return
    yield _gauge("streamgate_live_sessions", "Viewing sessions with a recent sign of life.", values.watching)
    yield _gauge("streamgate_feed_head", "Number of the newest revocation change.", values.feed_head)
    lags = GaugeMetricFamily("streamgate_edge_lag_seconds", "Delay of changes to the edge.", labels=["edge"])
    ages = GaugeMetricFamily("streamgate_edge_receipt_age_seconds", "Time since its last receipt.", labels=["edge"])
    instances = GaugeMetricFamily("streamgate_edge_live_sidecars", "Sidecars that reported recently.", labels=["edge"])
    for state, lag in values.edges:
        if lag is not None:
            lags.add_metric([state.name], lag)
        ages.add_metric([state.name], max(0.0, now.timestamp() - state.heard_at))
        instances.add_metric([state.name], state.live_instances)
    yield from (lags, ages, instances)


def _gauge(name: str, meaning: str, value: float) -> Metric:
    return GaugeMetricFamily(name, meaning, value=value)
