"""Reload a changed key file without a restart, and log it.

The file is checked every second: this works on every file system, through symbolic links and after a rename. The
watch never ends because of a file: if the new one is invalid, the old ring stays in force.
"""

from typing import Final

import anyio
import structlog

from authz_sidecar.contract.key_source import KeySource

_POLL_SECONDS: Final = 1.0

log = structlog.get_logger()


async def run(keys: KeySource, stop: anyio.Event) -> None:
    """Watch the key file until `stop` is set; return at once if there is none."""
    if keys.file is None:
        return
    while not stop.is_set():
        with anyio.move_on_after(_POLL_SECONDS):
            await stop.wait()
        _reload(keys)


def _reload(keys: KeySource) -> None:
    ring, problem = keys.ring, keys.problem
    keys.reload_if_changed()
    if keys.problem and keys.problem != problem:
        log.error("key_file_refused", error=keys.problem)
    if keys.ring is not ring:
        log.info("key_ring_changed", kids=keys.ring.kids)
