"""Wakes waiting tasks when a transaction was committed: never before, and never after a rollback.

Tasks in other processes are woken by a notice, see listening.py.
"""

from collections import defaultdict
from collections.abc import Iterable
from typing import Final, NamedTuple, Self

import anyio
from sqlalchemy.ext.asyncio import AsyncSession

ANNOUNCED: Final = "announced"
CHANNEL: Final = "streamgate"


class Notice(NamedTuple):
    """What one process sends to the others: the topic, and the name of the process."""

    topic: str
    sender: str

    @classmethod
    def parse(cls, text: str) -> Self:
        topic, _, sender = text.partition(" ")
        return cls(topic, sender)

    def __str__(self) -> str:
        return f"{self.topic} {self.sender}"


class Announcements:
    """One event per topic. Get the event first, then read the database, then wait: so nothing is missed."""

    def __init__(self) -> None:
        self._events: defaultdict[str, anyio.Event] = defaultdict(anyio.Event)
        self.is_closed = False
        self.receives_notices = False  # whether notices of other processes arrive: there is little need to poll, then

    def next(self, topic: str) -> anyio.Event:
        return self._events[topic]

    def close(self) -> None:
        """Wake all waiting tasks: the process is about to stop."""
        self.is_closed = True
        self.wake_all()

    def wake_all(self) -> None:
        self.wake(list(self._events))

    def wake(self, topics: Iterable[str]) -> None:
        for topic in topics:
            if event := self._events.pop(topic, None):
                event.set()


def announce(db: AsyncSession, topic: str) -> None:
    """Wake the topic's waiters once this transaction is committed."""
    db.info[ANNOUNCED].add(topic)
