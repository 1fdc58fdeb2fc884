"""Wakes waiting tasks when a transaction was committed: never before, and never after a rollback.

Tasks in other processes are woken by a notice: notices.py sends it, listening.py receives it.
"""

from collections import defaultdict
from collections.abc import Iterable
from typing import Final

import anyio
from sqlalchemy.ext.asyncio import AsyncSession

ANNOUNCED: Final = "announced"


class Announcements:
    """One event per topic. Get the event first, then read the database, then wait: so nothing is missed."""

    def __init__(self) -> None:
        self._events: defaultdict[str, anyio.Event] = defaultdict(anyio.Event)
        self.is_closed = False
        self.receives_notices = False  # whether notices of other processes arrive: then polling is rarely needed
        self._received_until = -1  # the number of a notice on SQLite; it and all before it have woken their waiters

    def next(self, topic: str) -> anyio.Event:
        return self._events[topic]

    def close(self) -> None:
        """Wake all waiting tasks: the process is about to stop."""
        self.is_closed = True
        self.wake_all()

    def receive_own(self, number: int | None) -> None:
        """Note that this process has sent a notice, unless notices of others before it are yet to be received."""
        if number == self._received_until + 1:
            self._received_until = number

    def receive_all_until(self, number: int) -> None:
        """Wake all waiting tasks if there are notices that were not received."""
        if number != self._received_until:
            self._received_until = number
            self.wake_all()

    def wake_all(self) -> None:
        self.wake(list(self._events))

    def wake(self, topics: Iterable[str]) -> None:
        for topic in topics:
            if event := self._events.pop(topic, None):
                event.set()


def announce(db: AsyncSession, topic: str) -> None:
    """Wake the topic's waiters in all processes once this transaction is committed."""
    db.info[ANNOUNCED].add(topic)
