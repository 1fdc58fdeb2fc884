"""A real control plane with very many revoked codes, whose expiry times are spread over a day."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.support.services.stack import StackUnderTest

_TIME = "%Y-%m-%d %H:%M:%S.%f"  # SQLite's text format, in UTC


@dataclass(frozen=True)
class ManyRevoked:
    """The control plane's socket, its internal key and its database."""

    socket: Path
    internal_key: str
    database: Path

    def revoke(self, count: int) -> None:
        """Write directly into the feed: through the API it would take an hour."""
        now = datetime.now(UTC)
        at, ends = now.strftime(_TIME), [now + timedelta(hours=1, seconds=second) for second in range(86_400)]
        texts = [end.strftime(_TIME) for end in ends]
        rows = ((code(number), at, texts[number * 7919 % len(texts)]) for number in range(count))
        insert = "INSERT INTO revocation_change (kind, subject, revoked, at, expires_at) VALUES ('code', ?, 1, ?, ?)"
        with closing(sqlite3.connect(self.database)) as connection, connection:
            connection.executemany(insert, rows)

    def begin_again_without(self, subject: str) -> None:
        """Change the feed's epoch, as a restored backup does: every follower takes a snapshot."""
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
