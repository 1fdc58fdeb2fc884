"""A real control plane that has revoked very many codes, each with a lifetime of its own within a day."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.support.stack import StackUnderTest

_TIME = "%Y-%m-%d %H:%M:%S.%f"  # SQLite's texts, in UTC


@dataclass(frozen=True)
class ManyRevoked:
    """Its socket, and the key that it wants to be shown."""

    socket: Path
    internal_key: str
    database: Path

    def revoke(self, count: int) -> None:
        """Write straight into the feed: through the API it would take an hour."""
        now = datetime.now(UTC)
        at, ends = now.strftime(_TIME), [now + timedelta(hours=1, seconds=second) for second in range(86_400)]
        texts = [end.strftime(_TIME) for end in ends]
        rows = ((code(number), at, texts[number * 7919 % len(texts)]) for number in range(count))
        insert = "INSERT INTO revocation_change (kind, subject, revoked, at, expires_at) VALUES ('code', ?, 1, ?, ?)"
        with closing(sqlite3.connect(self.database)) as connection, connection:
            connection.executemany(insert, rows)

    def begin_again_without(self, subject: str) -> None:
        """Let the log be another one, as after a restored backup: everybody takes a snapshot."""
        with closing(sqlite3.connect(self.database)) as connection, connection:
            connection.execute("DELETE FROM revocation_change WHERE subject = ?", (subject,))
            connection.execute("UPDATE feed_epoch SET epoch = 'another'")


@contextmanager
def many_revoked(home: Path, count: int) -> Iterator[ManyRevoked]:
    stack = StackUnderTest(home)
    try:
        stack.control_plane.start()
        stack.control_plane.wait_ready()
        key = stack.control_plane.spec.env["INTERNAL_API_KEY"]
        feed = ManyRevoked(home / "run" / "control.sock", key, home / "streamgate.db")
        feed.revoke(count)
        yield feed
    finally:
        stack.stop()


def code(number: int) -> str:
    return f"C{number * 7_368_787 % 10**11:011d}"
