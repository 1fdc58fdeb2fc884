"""More edges for a benchmark: followers without nginx, all in one process, each with its own connections.

`python -m tests.bench.followers COUNT`, with a sidecar's environment. Prints `ready` when all of them follow.
"""

import sys

import anyio
import structlog

from authz_sidecar.follower import Follower
from authz_sidecar.link import ControlPlaneLink
from authz_sidecar.read_ahead import ReadAhead
from authz_sidecar.settings import SidecarSettings


async def follow(count: int) -> None:
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    settings = SidecarSettings()
    links = [ControlPlaneLink(settings.model_copy(update={"edge_name": f"edge-{i + 2}"})) for i in range(count)]
    async with anyio.create_task_group() as tasks:
        for feed in map(ReadAhead, links):
            follower = Follower(feed)
            tasks.start_soon(feed.run)
            while follower.revocations(0) is None:
                await follower.sync_once()
            tasks.start_soon(follower.run)
        sys.stdout.write("ready\n")
        sys.stdout.flush()


if __name__ == "__main__":
    anyio.run(follow, int(sys.argv[1]))
