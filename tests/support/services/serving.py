"""A control plane in this process that listens on a real socket, for real HTTP clients."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import uvicorn
from anyio.abc import TaskStatus

from authz_sidecar.link import ControlPlaneLink
from authz_sidecar.read_ahead import ReadAhead
from authz_sidecar.settings import SidecarSettings
from control_plane.__main__ import KEEP_ALIVE_SECONDS
from control_plane.app import create_app
from control_plane.settings import Settings
from tests.support.clients.api import INTERNAL_KEY
from tests.support.data.forging import SECRET


class _UvicornServer(uvicorn.Server):
    """A server that signals when it listens."""

    task_status: TaskStatus[None]

    async def startup(self, *args: object, **kwargs: object) -> None:
        await super().startup(*args, **kwargs)  # type: ignore[arg-type]
        self.task_status.started()

    async def run_beside(self, *, task_status: TaskStatus[None]) -> None:
        self.task_status = task_status
        await self.serve()


@asynccontextmanager
async def serving(settings: Settings, socket: Path) -> AsyncIterator[None]:
    """Serve the control plane on a unix socket."""
    app = create_app(settings)
    options: dict[str, Any] = {"log_level": "warning", "access_log": False, "timeout_keep_alive": KEEP_ALIVE_SECONDS}
    server = _UvicornServer(uvicorn.Config(app, uds=str(socket), **options))
    async with anyio.create_task_group() as tasks:
        await tasks.start(lambda task_status: server.run_beside(task_status=task_status))
        yield
        app.state.wake_waiters()
        server.should_exit = True


@asynccontextmanager
async def feed_of(socket: Path, edge: str = "north") -> AsyncIterator[ReadAhead]:
    """Return a client that follows the control plane behind a socket as a sidecar does."""
    values: dict[str, Any] = {"playback_signing_secret": SECRET, "internal_api_key": INTERNAL_KEY}
    link = ControlPlaneLink(SidecarSettings(**values, control_plane_url=f"unix:{socket}", edge_name=edge))
    feed = ReadAhead(link)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(feed.run)
        yield feed
        tasks.cancel_scope.cancel()
    await link.close()
