"""Tells when a process of `up` lives and does not answer: a dead one ends by itself, a hung one holds others up.

The question is one that needs nothing else, no database and no neighbour: whoever is slow because of those is no better
off after a restart.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from control_plane.ops.child import Child

ASK_EVERY_SECONDS = 5.0
MISSED_ANSWERS: Final = 3
FIRST_ANSWER_SECONDS: Final = 60.0  # a start may have a large database to migrate


async def until_it_hangs(child: Child, is_alive: Callable[[], Awaitable[bool]]) -> None:
    """Return when a process has missed three answers in a row. One that has just started is given a minute."""
    missed, has_answered = 0, False
    while missed < MISSED_ANSWERS or not (has_answered or child.age > FIRST_ANSWER_SECONDS):
        await asyncio.sleep(ASK_EVERY_SECONDS)
        answers = await is_alive()
        missed, has_answered = (0, True) if answers else (missed + 1, has_answered)
