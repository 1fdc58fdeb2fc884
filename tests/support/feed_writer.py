"""Another process that writes to the feed: `python -m tests.support.feed_writer DATABASE_URL PREFIX COUNT`.

It says when it is ready and begins at a line of input, so that several can begin together.
"""

import sys
import time

import anyio

from authz_sidecar.contract.feed import Change, Kind
from control_plane.revoking import revocation_feed
from control_plane.storage.database import Database


async def write(url: str, prefix: str, count: int) -> None:
    """Append `count` changes, each in a transaction of its own."""
    database = Database(url)
    for number in range(count):
        now = time.time()
        async with database.write() as db:
            await revocation_feed.append(db, Change(Kind.CODE, f"{prefix}{number:06d}", True, None, now, now + 3600))
    await database.close()


if __name__ == "__main__":
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    anyio.run(write, sys.argv[1], sys.argv[2], int(sys.argv[3]))
