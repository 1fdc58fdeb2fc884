"""The control plane's ASGI application: its routes, readable from top to bottom."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import anyio
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.body_limit import RequestBodyLimitMiddleware
from starlette.routing import BaseRoute, Mount, Route

from control_plane import key_watch
from control_plane.admins import accounts, setup_link
from control_plane.assets import FOLDER, Assets
from control_plane.metrics import MeasureRequests
from control_plane.notifying import event_news
from control_plane.revoking import edges, revocation_feed
from control_plane.schemas import utc_now
from control_plane.security import SameOriginOnly, SecurityHeaders
from control_plane.settings import Settings
from control_plane.state import Services, State, make_services
from control_plane.storage import listening
from control_plane.storage.database import Lock, hold
from control_plane.viewing import reaper
from control_plane.viewing.activity import MAX_REPORT_BYTES
from control_plane.views import (
    admin_pages,
    api_docs,
    errors,
    internal_api,
    numbers,
    portal,
)
from control_plane.views.admin_routes import ADMIN_API
from control_plane.views.viewer_routes import VIEWER_API

MAX_BODY_BYTES: Final = 64 * 1024

ROUTES: Final[list[BaseRoute]] = [
    Route("/", portal.portal),
    Route("/logo", portal.logo),
    Route("/api/openapi.json", api_docs.show_document),
    Route("/api/docs", api_docs.show_page),
    Mount("/api/admin", routes=ADMIN_API),
    Mount("/api", routes=VIEWER_API),
    Route("/admin", admin_pages.list_events),
    Mount("/admin", routes=admin_pages.ROUTES),
    Mount("/static", Assets(directory=FOLDER)),
    Route("/internal/feed", internal_api.feed),
    Route("/internal/health", internal_api.health),
    Route("/internal/metrics", numbers.metrics),
    Route("/internal/origins", internal_api.list_origins),
    Route(
        "/internal/activity",
        internal_api.report_activity,
        methods=["POST"],
        middleware=[Middleware(RequestBodyLimitMiddleware, max_body_size=MAX_REPORT_BYTES)],
    ),
]


def create_app(settings: Settings) -> Starlette:
    services = make_services(settings, utc_now())

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[State]:
        await _prepare(services)
        stop = anyio.Event()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(reaper.run, services.database, services.retention, stop)
            tasks.start_soon(services.audit_queue.run, stop)
            tasks.start_soon(key_watch.run, services.keys, stop)
            tasks.start_soon(edges.run, services.database, services.receipts, stop)
            tasks.start_soon(listening.run, services.database, stop)
            tasks.start_soon(revocation_feed.watch, services.database, stop)
            tasks.start_soon(services.heartbeats.run, stop)
            tasks.start_soon(services.key_uses.run, stop)
            tasks.start_soon(services.dispatcher.run, stop)
            tasks.start_soon(event_news.run, services.database, services.probe, stop)
            yield {"services": services}
            stop.set()
        await services.probe.close()
        await services.database.close()
        if services.shared_counts:
            await services.shared_counts.close()

    app = Starlette(
        routes=ROUTES,
        exception_handlers=errors.HANDLERS,
        middleware=[
            Middleware(MeasureRequests, metrics=services.metrics),
            Middleware(SecurityHeaders),  # outermost but for the clock: refusals and crashes carry the headers, too
            Middleware(RequestBodyLimitMiddleware, max_body_size=MAX_BODY_BYTES),
            Middleware(SameOriginOnly, public_origin=settings.platform_app_url),
        ],
        lifespan=lifespan,
    )
    app.state.let_waiters_go = services.database.announcements.close
    return app


async def _prepare(services: Services) -> None:
    """Make the first owner, where the settings name a password and there is no account yet, or offer a set-up link."""
    if services.settings.admin_password_hash:
        password_hash = services.settings.admin_password_hash.get_secret_value()
        async with services.database.write() as db:
            await hold(db, Lock.FIRST_OWNER)  # another process may start at the same moment
            await accounts.ensure_owner(db, password_hash, utc_now())
    origin = services.settings.platform_app_url or services.settings.hls_server_internal_url
    await setup_link.offer(services.database, services.settings.setup_link_file, origin, utc_now())
