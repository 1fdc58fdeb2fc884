"""Background loops: each runs until `stop` is set, and then does its work once more or ends at once, as it says.

They are never cancelled: a transaction has to be ended.
"""

from collections.abc import AsyncIterator

import anyio


async def idle(seconds: float, stop: anyio.Event) -> None:
    """Wait this long, or until `stop`."""
    with anyio.move_on_after(seconds):
        await stop.wait()


async def every(seconds: float, stop: anyio.Event) -> AsyncIterator[None]:
    """Give a turn after each pause, the last one once `stop` is set."""
    while not stop.is_set():
        await idle(seconds, stop)
        yield
