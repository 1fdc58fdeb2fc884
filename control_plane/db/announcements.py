"""Tells those who wait that a transaction was committed: never before, and never when it was rolled back.

Those who wait in other processes hear it as a notice, see listening.py.
"""

from collections import defaultdict
from collections.abc import Iterable
from typing import Final, NamedTuple, Self

import anyio
from sqlalchemy.ext.asyncio import AsyncSession

ANNOUNCED: Final = "announced"
CHANNEL: Final = "streamgate"


class Notice(NamedTuple):
    """What one process says to the others: `topic`, and which process it was."""

    topic: str
    sender: str

    @classmethod
    def parse(cls, text: str) -> Self:
        topic, _, sender = text.partition(" ")
        return cls(topic, sender)

    def __str__(self) -> str:
        return f"{self.topic} {self.sender}"


class Announcements:
    """One wake-up call a topic. Take the event first, look at the database then, wait last: nothing is missed."""

    def __init__(self) -> None:
        self._events: defaultdict[str, anyio.Event] = defaultdict(anyio.Event)
        self.is_closed = False
        self.hears_others = False  # whether other processes' notices come in: there is little need to look, then

    def next(self, topic: str) -> anyio.Event:
        return self._events[topic]

    def close(self) -> None:
        """Let everybody go who waits: the process is about to stop."""
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
