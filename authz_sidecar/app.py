"""The sidecar's ASGI application: authorization for nginx, two health checks, cache purging and Prometheus metrics."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import anyio
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from authz_sidecar.activity import Reporter
from authz_sidecar.authorize import Authorize
from authz_sidecar.clock_check import ClockCheck
from authz_sidecar.contract import key_watch
from authz_sidecar.contract.steady_clock import SteadyClock
from authz_sidecar.contract.verifier import Verifier
from authz_sidecar.follower import Follower
from authz_sidecar.link import ControlPlaneLink
from authz_sidecar.metrics import SidecarCollector, metrics_endpoint
from authz_sidecar.origins import Origins
from authz_sidecar.read_ahead import ReadAhead
from authz_sidecar.segment_cache import CacheFigures, Purge, SegmentCache
from authz_sidecar.settings import SidecarSettings
from authz_sidecar.state_file import StateFile


@dataclass(frozen=True, slots=True)
class Sidecar:
    """Route authorization requests, one for each media request, past all middleware; the rest goes to Starlette."""

    authorize: Authorize
    others: ASGIApp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_authorize = scope["type"] == "http" and scope["path"] == "/authorize"
        await (self.authorize if is_authorize else self.others)(scope, receive, send)


def create_app(settings: SidecarSettings) -> Sidecar:
    keys = settings.open_keys()
    verifier = Verifier(keys)
    link = ControlPlaneLink(settings)
    feed = ReadAhead(link)
    follower = Follower(
        feed,
        StateFile(settings.sidecar_state_file) if settings.sidecar_state_file else None,
        settings.revocation_max_stale_seconds,
        steady=SteadyClock(),
    )
    origins = Origins(link, _origins_file(settings.sidecar_state_file))
    authorize = Authorize(verifier.verify, follower.revocations, sources=origins.by_event)
    reporter = Reporter(authorize.activity, link, settings.internal_api_key.get_secret_value().encode())

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        stop = anyio.Event()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(feed.run)
            async with anyio.create_task_group() as starting:
                starting.start_soon(tasks.start, follower.run)
                starting.start_soon(tasks.start, origins.run)
            tasks.start_soon(reporter.run)
            tasks.start_soon(key_watch.run, keys, stop)
            yield
            stop.set()
            tasks.cancel_scope.cancel()
        await link.close()

    cache = SegmentCache(settings.segment_cache_root) if settings.segment_cache_root else None
    purge = Purge(cache, settings.internal_api_key.get_secret_value().encode())

    async def health(_request: Request) -> JSONResponse:
        return _health(follower, link.clock_check, await cache.figures() if cache else None)

    async def live(_request: Request) -> PlainTextResponse:
        return PlainTextResponse("alive")

    collector = SidecarCollector(authorize.meter, verifier, follower, reporter, link.clock_check)
    routes = [
        Route("/health", health),
        Route("/live", live),
        Route("/cache/{event_id}", purge.answer, methods=["DELETE"]),
        Route(
            "/metrics",
            metrics_endpoint(collector),
        ),
    ]
    return Sidecar(authorize, Starlette(routes=routes, lifespan=lifespan))


def _origins_file(state_file: Path | None) -> Path | None:
    return state_file.with_name(f"{state_file.name}.origins") if state_file else None


def _health(follower: Follower, clock: ClockCheck, cached: CacheFigures | None) -> JSONResponse:
    revocations, age = follower.revocations(follower.clock()), follower.seconds_since_sync
    body = {
        "status": "degraded" if follower.is_degraded or clock.is_off else "ok",
        "revocationCacheSize": len(revocations or ()),
        "lastSyncAgo": None if age is None else f"{max(0, age):.0f}s",
        "clockOffSeconds": clock.seconds,
        "segmentCacheEvents": cached.events if cached else 0,
        "segmentCacheSizeMB": cached.megabytes if cached else 0,
        "controlPlane": "ok" if follower.control_plane_reachable else "unreachable",
    }
    return JSONResponse(body, status_code=503 if revocations is None else 200, headers={"Cache-Control": "no-store"})
