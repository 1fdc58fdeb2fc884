"""Background loops: each runs until `stop` is set, then does its work once more or returns at once, as documented.

They are never cancelled, because a transaction must be ended properly.
"""

from collections.abc import AsyncIterator, Awaitable, Callable

import anyio
from sqlalchemy.exc import SQLAlchemyError


async def idle(seconds: float, stop: anyio.Event) -> None:
    """Wait for `seconds`, or until `stop` is set."""
    with anyio.move_on_after(seconds):
        await stop.wait()


async def repeat(
    work: Callable[[], Awaitable[None]],
    seconds: float | Callable[[], float],
    stop: anyio.Event,
    on_failure: Callable[[str], None],
    after_failure: float | None = None,
    wake_up: Callable[[], anyio.Event] | None = None,
) -> None:
    """Do the work at once and after each pause, until `stop` is set.

    If the database fails, `on_failure` gets the error's name, and the next pause is `after_failure` if that is given.
    `wake_up` is called before the work, so that nothing is missed. Its event ends the next pause, and is set at `stop`.
    """
    while not stop.is_set():
        pause, woken = None, wake_up() if wake_up else stop
        try:
            await work()
        except SQLAlchemyError as error:
            on_failure(type(error).__name__)
            pause = after_failure
        if pause is None:
            pause = seconds() if callable(seconds) else seconds
        await idle(pause, woken)


async def every(seconds: float, stop: anyio.Event) -> AsyncIterator[None]:
    """Yield after each pause, and a last time once `stop` is set."""
    while not stop.is_set():
        await idle(seconds, stop)
        yield
