"""Detect a process of `up` that runs but does not answer: dead ones restart anyway, hung ones block others.

The probe depends on nothing else, neither the database nor another process: a restart does not help a process that
waits for one of those.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from control_plane.ops.child import Child

ASK_EVERY_SECONDS = 5.0
MISSED_ANSWERS: Final = 3
FIRST_ANSWER_SECONDS: Final = 60.0  # the start may include migrating a large database


async def until_it_hangs(child: Child, is_alive: Callable[[], Awaitable[bool]]) -> None:
    """Return once a process has missed three probes in a row. One that has just started has a minute to answer."""
    missed, has_answered = 0, False
    while missed < MISSED_ANSWERS or not (has_answered or child.age > FIRST_ANSWER_SECONDS):
        await asyncio.sleep(ASK_EVERY_SECONDS)
        answers = await is_alive()
        missed, has_answered = (0, True) if answers else (missed + 1, has_answered)
