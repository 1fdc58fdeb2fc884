"""Read and edit backup files."""

import gzip
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import select

from authz_sidecar.contract.feed import Change, Kind
from control_plane.db.database import Database
from control_plane.revocations import revocation_feed
from control_plane.tables import RevocationChange

Lines = list[Any]


def lines_of(file: Path) -> Lines:
    return [json.loads(line) for line in gzip.decompress(file.read_bytes()).splitlines()]


def write_lines(file: Path, lines: Lines) -> None:
    file.write_bytes(gzip.compress("".join(f"{json.dumps(line)}\n" for line in lines).encode()))


async def append_change(url: str, subject: str) -> int:
    """Append a revocation; return the change's number."""
    database = Database(url)
    async with database.write() as db:
        now = datetime.now(UTC).timestamp()
        await revocation_feed.append(db, Change(Kind.CODE, subject, True, None, now, int(now) + 60))
        number = await db.scalar(select(RevocationChange.n).where(RevocationChange.subject == subject))
    await database.close()
    assert number is not None
    return number
