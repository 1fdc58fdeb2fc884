"""Reload a changed key file without a restart, and log it.

The watch must never end because of a file: if the new file is invalid, the old ring stays in force.
"""

from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Final

import anyio
import structlog
from watchfiles import awatch

from authz_sidecar.contract.key_source import KeySource

_POLL_MS: Final = 1000  # for file systems without change notifications: network file systems, bind mounts
_SETTLE_MS: Final = 100

log = structlog.get_logger()


async def run(keys: KeySource, stop: anyio.Event) -> None:
    """Watch the key file until `stop` is set; return at once if there is none."""
    if keys.file is None:
        return
    ring, problem = keys.ring, keys.problem
    async for _ in _triggers(keys.file.parent, stop):
        keys.reload_if_changed()
        if keys.problem and keys.problem != problem:
            log.error("key_file_refused", error=keys.problem)
        if keys.ring is not ring:
            log.info("key_ring_changed", kids=keys.ring.kids)
        ring, problem = keys.ring, keys.problem


async def _triggers(folder: Path, stop: anyio.Event) -> AsyncIterator[None]:
    """Yield after each change of the folder (a rename over the file is one), and at least every second."""
    changes = awatch(
        folder,
        watch_filter=None,
        recursive=False,
        debounce=_SETTLE_MS,
        step=_SETTLE_MS,
        rust_timeout=_POLL_MS,
        yield_on_timeout=True,
        stop_event=stop,
    )
    with suppress(OSError, RuntimeError):  # no such folder, or no more watches available
        async for _ in changes:
            yield
    while not stop.is_set():
        with anyio.move_on_after(_POLL_MS / 1000):
            await stop.wait()
        yield
