"""The control plane's ASGI application: its routes, readable from top to bottom."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Final

import anyio
import structlog
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.body_limit import RequestBodyLimitMiddleware
from starlette.routing import BaseRoute, Mount, Route
from starlette.types import ASGIApp

from authz_sidecar.contract import key_watch
from control_plane.accounts import accounts, setup_link
from control_plane.api import docs as api_docs
from control_plane.api import internal as internal_api
from control_plane.api import metrics
from control_plane.api.admin_routes import ADMIN_API
from control_plane.api.feed_lane import FeedLane
from control_plane.api.viewer_routes import VIEWER_API
from control_plane.clock import utc_now
from control_plane.console import events as console_events
from control_plane.console import routes as console
from control_plane.console.api_docs import show_api_docs
from control_plane.db import listening
from control_plane.db.database import Lock, hold
from control_plane.lifecycle import event_news, event_trouble, reaper
from control_plane.metrics import MeasureRequests
from control_plane.portal import pages as portal
from control_plane.revocations import edges, revocation_feed
from control_plane.services import Services, State, make_services
from control_plane.sessions.reports import MAX_REPORT_BYTES
from control_plane.settings import Settings
from control_plane.web import assets, errors
from control_plane.web.security import BodyLimit, NoteProxies, SameOriginOnly, SecurityHeaders

MAX_BODY_BYTES: Final = 64 * 1024
log = structlog.get_logger()

ROUTES: Final[list[BaseRoute]] = [
    Route("/", portal.portal),
    Route("/tv", portal.tv),
    Route("/logo", portal.logo),
    Route("/posters/{event_id:uuid}/{digest}.webp", portal.poster),
    Route("/api/openapi.json", api_docs.show_document),
    Route("/api/docs", show_api_docs),
    Mount("/api/admin", routes=ADMIN_API),
    Mount("/api", routes=VIEWER_API),
    Route("/admin", console_events.list_events),
    Mount("/admin", routes=console.ROUTES),
    Mount("/static", routes=assets.ROUTES),
    Route("/internal/feed", internal_api.feed),
    Route("/internal/health", internal_api.health),
    Route("/internal/live", internal_api.live),
    Route("/internal/metrics", metrics.metrics),
    Route("/internal/origins", internal_api.list_origins),
    Route(
        "/internal/activity",
        internal_api.report_activity,
        methods=["POST"],
        middleware=[Middleware(RequestBodyLimitMiddleware, max_body_size=MAX_REPORT_BYTES)],
    ),
]


class Application(Starlette):
    """Adds the security headers outermost, because the response to a crash is made outside of all middleware.

    Only the feed's responses, which no browser sees, bypass them.
    """

    def build_middleware_stack(self) -> ASGIApp:
        return FeedLane(SecurityHeaders(super().build_middleware_stack()))


def create_app(settings: Settings) -> Starlette:
    services = make_services(settings, utc_now())

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[State]:
        await _prepare(services)
        stop = anyio.Event()
        async with anyio.create_task_group() as tasks:

            def start(task: Callable[..., Awaitable[None]], *arguments: object) -> None:
                tasks.start_soon(partial(_run_task, task, *arguments))

            start(reaper.run, services.database, services.retention, stop)
            start(services.audit_queue.run, stop)
            start(key_watch.run, services.keys, stop)
            start(edges.run, services.database, services.receipts, stop)
            start(listening.run, services.database, stop)
            start(revocation_feed.watch, services.database, stop)
            start(services.origin_news.run, stop)
            start(services.heartbeats.run, stop)
            start(services.key_uses.run, stop)
            start(services.dispatcher.run, stop)
            start(event_news.run, services.database, services.probe, stop)
            start(event_trouble.run, services.database, services.stream_watch, services.trouble_reports, stop)
            yield {"services": services}
            stop.set()
            services.database.announcements.close()
        await services.probe.close()
        await services.database.close()
        if services.shared_counts:
            await services.shared_counts.disconnect()

    app = Application(
        routes=ROUTES,
        exception_handlers=errors.HANDLERS,
        middleware=[
            Middleware(MeasureRequests, metrics=services.metrics),
            Middleware(NoteProxies, proxies=services.unnamed_proxies),
            Middleware(BodyLimit, max_bytes=MAX_BODY_BYTES),
            Middleware(SameOriginOnly, public_origin=settings.platform_app_url),
        ],
        lifespan=lifespan,
    )
    app.state.wake_waiters = services.database.announcements.close
    return app


async def _run_task(task: Callable[..., Awaitable[None]], *arguments: object) -> None:
    """Run a background task. Log a crash: it ends all tasks, the lifespan and the process (`__main__.Server`)."""
    try:
        await task(*arguments)
    except Exception as error:
        first: BaseException = error
        while isinstance(first, BaseExceptionGroup):  # raised by a task group inside the task
            first = first.exceptions[0]
        log.critical("task_crashed", exc_info=first)
        raise


async def _prepare(services: Services) -> None:
    """Create the first owner if ADMIN_PASSWORD_HASH is set and there is no account; then offer a set-up link."""
    if services.settings.admin_password_hash:
        password_hash = services.settings.admin_password_hash.get_secret_value()
        async with services.database.write() as db:
            await hold(db, Lock.FIRST_OWNER)  # another process may start at the same moment
            await accounts.ensure_owner(db, password_hash, utc_now())
    origin = services.settings.platform_app_url or services.settings.hls_server_internal_url
    await setup_link.offer(services.database, services.settings.setup_link_file, origin)
