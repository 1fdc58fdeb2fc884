"""One heartbeat, answered and written without an application."""

from datetime import datetime

import anyio

from authz_sidecar.contract.playback_token import Claims
from control_plane.db.database import Database
from control_plane.errors import Refusal
from control_plane.sessions.heartbeats import Heartbeats


async def beat(database: Database, claims: Claims, now: datetime) -> None:
    """Send a heartbeat. Raise the reason if it is refused."""
    heartbeats, stop, refusal = Heartbeats(database), anyio.Event(), None
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(heartbeats.run, stop)
        try:
            await heartbeats.beat(claims, now)
        except Refusal as error:
            refusal = error
        stop.set()
    if refusal:
        raise refusal
