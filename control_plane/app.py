"""The control plane's ASGI application: its routes, readable from top to bottom."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import anyio
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.body_limit import RequestBodyLimitMiddleware
from starlette.routing import BaseRoute, Mount, Route

from control_plane import accounts, edges, key_watch, reaper, revocation_feed
from control_plane.activity import MAX_REPORT_BYTES
from control_plane.assets import FOLDER, Assets
from control_plane.schemas import utc_now
from control_plane.security import SameOriginOnly, SecurityHeaders
from control_plane.settings import Settings
from control_plane.state import Services, State, make_services
from control_plane.views import (
    admin_api,
    admin_edges,
    admin_pages,
    errors,
    internal_api,
    portal,
    published_api,
    tv_api,
    viewer_api,
)

MAX_BODY_BYTES: Final = 64 * 1024

VIEWER_API: Final = [
    Route("/tokens/validate", viewer_api.validate, methods=["POST"]),
    Route("/playback/resume", viewer_api.resume, methods=["POST"]),
    Route("/playback/refresh", viewer_api.refresh, methods=["POST"]),
    Route("/playback/heartbeat", viewer_api.heartbeat, methods=["POST"]),
    Route("/playback/release", viewer_api.release, methods=["POST"]),
    Route("/playback/tv", tv_api.link, methods=["POST"]),
    Route("/playback/tv", tv_api.stop, methods=["DELETE"]),
    Route("/events/{event_id:uuid}/status", viewer_api.event_status),
    Route("/revocations", published_api.list_revocations),
]

ADMIN_API: Final = [
    Route("/login", admin_api.login, methods=["POST"]),
    Route("/logout", admin_api.logout, methods=["POST"]),
    Route("/session", admin_api.show_session),
    Route("/session", admin_api.logout, methods=["DELETE"]),
    Route("/events", admin_api.list_events),
    Route("/events", admin_api.create_event, methods=["POST"]),
    Route("/events/{event_id:uuid}", admin_api.show_event),
    Route("/events/{event_id:uuid}/deactivate", admin_api.deactivate_event, methods=["PATCH"]),
    Route("/events/{event_id:uuid}/reactivate", admin_api.reactivate_event, methods=["PATCH"]),
    Route("/events/{event_id:uuid}/tokens/generate", admin_api.generate_tickets, methods=["POST"]),
    Route("/events/{event_id:uuid}/tokens", admin_api.list_tickets),
    Route("/tokens", admin_api.list_tickets),
    Route("/tokens/{ticket_id:uuid}/revoke", admin_api.revoke_ticket, methods=["PATCH"]),
    Route("/tokens/{ticket_id:uuid}/unrevoke", admin_api.unrevoke_ticket, methods=["PATCH"]),
    Route("/sessions", admin_edges.list_sessions),
    Route("/sessions/{sid}", admin_edges.kick, methods=["DELETE"]),
    Route("/edges", admin_edges.list_edges),
    Route("/revocations/{cursor}", admin_edges.show_receipt),
]

ROUTES: Final[list[BaseRoute]] = [
    Route("/", portal.portal),
    Route("/logo", portal.logo),
    Mount("/api/admin", routes=ADMIN_API),
    Mount("/api", routes=VIEWER_API),
    Route("/admin", admin_pages.list_events),
    Mount("/admin", routes=admin_pages.ROUTES),
    Mount("/static", Assets(directory=FOLDER)),
    Route("/internal/feed", internal_api.feed),
    Route("/internal/health", internal_api.health),
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
            tasks.start_soon(reaper.run, services.database, stop)
            tasks.start_soon(key_watch.run, services.keys, stop)
            tasks.start_soon(edges.run, services.database, services.receipts, stop)
            tasks.start_soon(revocation_feed.watch, services.database, stop)
            yield {"services": services}
            stop.set()
        await services.database.close()

    app = Starlette(
        routes=ROUTES,
        exception_handlers=errors.HANDLERS,
        middleware=[
            Middleware(SecurityHeaders),  # outermost: refusals and crashes carry the headers, too
            Middleware(RequestBodyLimitMiddleware, max_body_size=MAX_BODY_BYTES),
            Middleware(SameOriginOnly, public_origin=settings.platform_app_url),
        ],
        lifespan=lifespan,
    )
    app.state.let_waiters_go = services.database.announcements.close
    return app


async def _prepare(services: Services) -> None:
    """Make the first owner, where the settings name a password and there is no account yet."""
    if services.settings.admin_password_hash:
        password_hash = services.settings.admin_password_hash.get_secret_value()
        async with services.database.write() as db:
            await accounts.ensure_owner(db, password_hash, utc_now())
