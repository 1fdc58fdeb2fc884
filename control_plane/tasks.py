"""Background loops: each runs until `stop` is set, then does its work once more or returns at once, as documented.

They are never cancelled, because a transaction must be ended properly.
"""

from collections.abc import AsyncIterator

import anyio


async def idle(seconds: float, stop: anyio.Event) -> None:
    """Wait for so many seconds, or until `stop` is set."""
    with anyio.move_on_after(seconds):
        await stop.wait()


async def every(seconds: float, stop: anyio.Event) -> AsyncIterator[None]:
    """Yield after each pause, and a last time once `stop` is set."""
    while not stop.is_set():
        await idle(seconds, stop)
        yield
