"""The services that views use: created once at the start, and reached through the request's typed state."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypedDict

from anyio import CapacityLimiter
from starlette.requests import Request as StarletteRequest

from authz_sidecar.contract.key_source import KeySource
from authz_sidecar.contract.keys import KeyRing
from authz_sidecar.contract.verifier import Verifier
from control_plane.access.audit_queue import AuditQueue
from control_plane.access.retention import Retention
from control_plane.accounts.api_keys import LastUses
from control_plane.accounts.passwords import PasswordChecker
from control_plane.db.database import Database
from control_plane.lifecycle.dashboard import Dashboard
from control_plane.limits.limits import Limits
from control_plane.limits.shared_limits import RedisCounts
from control_plane.metrics import Metrics
from control_plane.revocations.edges import Receipts
from control_plane.revocations.feed_pages import FeedPages
from control_plane.sessions.activity import Clients
from control_plane.sessions.heartbeats import Heartbeats
from control_plane.sessions.sessions import SeatRules
from control_plane.sessions.trouble import TroubleReports
from control_plane.settings import Settings
from control_plane.streams.origin_news import OriginNews
from control_plane.streams.playlist_reader import PlaylistReader
from control_plane.streams.probe import Probe
from control_plane.streams.stream_watch import StreamWatch
from control_plane.unnamed_proxies import UnnamedProxies
from control_plane.webhooks.dispatcher import Dispatcher
from control_plane.webhooks.webhook_client import WebhookClients


@dataclass(frozen=True, slots=True)
class Services:
    settings: Settings
    database: Database
    keys: KeySource
    verifier: Verifier
    limits: Limits
    passwords: PasswordChecker
    rules: SeatRules
    heartbeats: Heartbeats
    key_uses: LastUses
    audit_queue: AuditQueue
    dashboard: Dashboard
    retention: Retention
    probe: Probe
    stream_watch: StreamWatch
    dispatcher: Dispatcher
    feed_pages: FeedPages
    unnamed_proxies: UnnamedProxies
    origin_news: OriginNews
    shared_counts: RedisCounts | None = None
    receipts: Receipts = field(default_factory=Receipts)
    clients: Clients = field(default_factory=Clients)
    trouble_reports: TroubleReports = field(default_factory=TroubleReports)
    metrics: Metrics = field(default_factory=Metrics)
    poster_limiter: CapacityLimiter = field(default_factory=lambda: CapacityLimiter(1))  # a poster takes up to 100 MB

    @property
    def ring(self) -> KeyRing:
        """The current key ring. Do not keep it: it may be replaced at any time."""
        return self.keys.ring


class State(TypedDict):
    services: Services


Request = StarletteRequest[State]


def make_services(settings: Settings, started_at: datetime) -> Services:
    database = Database(settings.database_url, settings.sealer())
    shared_counts = RedisCounts(settings.redis_url.get_secret_value()) if settings.redis_url else None
    silence = timedelta(seconds=settings.session_timeout_seconds)
    keys, gate, metrics = settings.open_keys(), settings.hls_server_internal_url, Metrics()
    probe = Probe(PlaylistReader(gate, keys) if gate else None)
    return Services(
        settings=settings,
        database=database,
        keys=keys,
        verifier=Verifier(keys),
        dispatcher=Dispatcher(
            database,
            WebhookClients(allow_private=settings.webhook_allow_private),
            count=lambda outcome: metrics.webhook_deliveries.labels(outcome).inc(),
        ),
        metrics=metrics,
        probe=probe,
        stream_watch=StreamWatch(probe),
        limits=Limits(settings.playback_token_seconds, shared_counts),
        heartbeats=Heartbeats(database),
        key_uses=LastUses(database),
        audit_queue=AuditQueue(database),
        dashboard=Dashboard(database, silence),
        feed_pages=FeedPages(database),
        origin_news=OriginNews(database),
        retention=Retention(timedelta(days=settings.audit_retention_days)),
        unnamed_proxies=UnnamedProxies(settings.trusted_proxies),
        shared_counts=shared_counts,
        passwords=PasswordChecker(),
        rules=SeatRules(
            token_seconds=settings.playback_token_seconds,
            silence=silence,
            counting_since=started_at,
            nothing_plays=probe.nothing_plays,
        ),
    )
