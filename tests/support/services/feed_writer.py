"""Another process that writes to the feed: `python -m tests.support.services.feed_writer DATABASE_URL PREFIX COUNT`.

It prints when it is ready, and appends COUNT changes for each line of input, so that several can write at once.
"""

import sys
import time
from itertools import count

import anyio

from authz_sidecar.contract.feed import Change, Kind
from control_plane.db.database import Database
from control_plane.revocations import revocation_feed


def say(word: str) -> None:
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


async def write(url: str, prefix: str, each_time: int) -> None:
    """Append `each_time` changes per line, each in its own transaction."""
    database, numbers = Database(url), count()
    say("ready")
    while await anyio.to_thread.run_sync(sys.stdin.readline):
        for _ in range(each_time):
            now = time.time()
            change = Change(Kind.CODE, f"{prefix}{next(numbers):06d}", True, None, now, now + 3600)
            async with database.write() as db:
                await revocation_feed.append(db, change)
        say("done")
    await database.close()


if __name__ == "__main__":
    anyio.run(write, sys.argv[1], sys.argv[2], int(sys.argv[3]))
