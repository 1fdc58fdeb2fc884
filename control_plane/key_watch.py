"""Picks up a changed key file without a restart, and says so in the log.

It must never end because of a file: whatever is wrong with the new one, the old ring stays in force.
"""

from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Final

import anyio
import structlog
from watchfiles import awatch

from authz_sidecar.contract.key_source import KeySource
from control_plane.tasks import every

_LOOK_EVERY_MS: Final = 1000  # also where the kernel tells nothing: network file systems, bind mounts
_SETTLE_MS: Final = 100

log = structlog.get_logger()


async def run(keys: KeySource, stop: anyio.Event) -> None:
    """Follow the key file until `stop`; at once without one."""
    if keys.file is None:
        return
    ring, problem = keys.ring, keys.problem
    async for _ in _occasions(keys.file.parent, stop):
        keys.look()
        if keys.problem and keys.problem != problem:
            log.error("key_file_refused", error=keys.problem)
        if keys.ring is not ring:
            log.info("key_ring_changed", kids=keys.ring.kids)
        ring, problem = keys.ring, keys.problem


async def _occasions(folder: Path, stop: anyio.Event) -> AsyncIterator[None]:
    """Say when to look: after a change of the folder (a rename over the file is one), and every second anyway."""
    changes = awatch(
        folder,
        watch_filter=None,
        recursive=False,
        debounce=_SETTLE_MS,
        step=_SETTLE_MS,
        rust_timeout=_LOOK_EVERY_MS,
        yield_on_timeout=True,
        stop_event=stop,
    )
    with suppress(OSError, RuntimeError):  # no such folder, or no more watches available
        async for _ in changes:
            yield
    async for _ in every(_LOOK_EVERY_MS / 1000, stop):
        yield
