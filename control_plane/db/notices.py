"""Tells other processes what a transaction announces, once it is committed: never after a rollback.

PostgreSQL has NOTIFY. A SQLite file has a number for its application: each transaction that announces something adds
one, whatever the topics. Manual: https://www.sqlite.org/pragma.html#pragma_user_version
"""

from collections.abc import Iterable
from typing import Final, NamedTuple, Self

from sqlalchemy import Connection, func, select, text

CHANNEL: Final = "streamgate"
_HIGHEST_NUMBER: Final = 2**31 - 1  # the next one is 0


class Notice(NamedTuple):
    """What PostgreSQL sends to the other processes: the topic, and the name of the process."""

    topic: str
    sender: str

    @classmethod
    def parse(cls, text: str) -> Self:
        topic, _, sender = text.partition(" ")
        return cls(topic, sender)

    def __str__(self) -> str:
        return f"{self.topic} {self.sender}"


def send(connection: Connection, topics: Iterable[str], sender: str = "") -> int | None:
    """Wake the topics' waiters in other processes once this transaction is committed.

    `sender` is the name of this process, if it listens itself. Return the notice's number on SQLite.
    """
    if connection.dialect.name == "sqlite":
        return _count(connection)
    for topic in topics:
        connection.execute(select(func.pg_notify(CHANNEL, str(Notice(topic, sender)))))
    return None


def newest(connection: Connection) -> int:
    """Return the number of a SQLite file's newest notice."""
    return int(connection.execute(text("PRAGMA user_version")).scalar_one())


def _count(connection: Connection) -> int:
    number = (newest(connection) + 1) & _HIGHEST_NUMBER
    connection.execute(text(f"PRAGMA user_version = {number}"))  # a pragma takes no parameters
    return number
