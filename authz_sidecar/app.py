"""The sidecar's ASGI application: what nginx asks, and two health questions."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Route

from authz_sidecar.authorize import Authorize
from authz_sidecar.contract.keys import KeyRing
from authz_sidecar.follower import Follower, HttpFeed
from authz_sidecar.settings import SidecarSettings
from authz_sidecar.state_file import StateFile
from authz_sidecar.verifier import Verifier


def create_app(settings: SidecarSettings) -> Starlette:
    verifier = Verifier(KeyRing.from_secret(settings.playback_signing_secret.get_secret_value()))
    feed = HttpFeed(settings)
    follower = Follower(
        feed,
        StateFile(settings.sidecar_state_file) if settings.sidecar_state_file else None,
        settings.revocation_max_stale_seconds,
    )

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(follower.run)
            yield
            tasks.cancel_scope.cancel()
        await feed.close()

    async def health(_request: Request) -> JSONResponse:
        return _health(follower)

    async def live(_request: Request) -> PlainTextResponse:
        return PlainTextResponse("alive")

    routes = [
        Route("/authorize", Authorize(verifier.verify, follower.revocations)),
        Route("/health", health),
        Route("/live", live),
    ]
    return Starlette(routes=routes, lifespan=lifespan)


def _health(follower: Follower) -> JSONResponse:
    now = follower.clock()
    revocations = follower.revocations(now)
    body = {
        "status": "degraded" if follower.is_degraded else "ok",
        "revocationCacheSize": len(revocations or ()),
        "lastSyncAgo": None if follower.last_sync is None else f"{max(0, now - follower.last_sync):.0f}s",
        "controlPlane": "ok" if follower.control_plane_reachable else "unreachable",
    }
    return JSONResponse(body, status_code=503 if revocations is None else 200, headers={"Cache-Control": "no-store"})
