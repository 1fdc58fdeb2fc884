"""When live sessions were last seen: a slim table into which reports and heartbeats write a thousand rows at once.

A time only moves forward, never past now. It is never asked whether a session has ended: one that has keeps a time of
its own (`seen_until`), so what is written here afterwards shows nowhere and revives nothing.

Nobody waits in a circle because of these rows. Whoever changes or deletes rows that others know of holds
Lock.LAST_SEEN, and takes it last: who has it waits for no other lock. A refresh does not hold it; it moves one row with
the last statement of its transaction. So these rows are always free again soon.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from sqlalchemy import Update, bindparam, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm.attributes import set_committed_value

from control_plane.db.database import Lock
from control_plane.db.direct import Direct, run_on_sqlite, sqlite_time
from control_plane.db.together import change_of
from control_plane.models import LastSeen, ViewingSession

_MICRO: Final = 1e6  # whole numbers are written and read faster than fractions
# The lock is taken before the first row is: a row of the join needs all of its parts.
_ON_POSTGRESQL: Final = Direct(
    text(f"""
    WITH alone AS MATERIALIZED (SELECT pg_advisory_xact_lock({Lock.LAST_SEEN.value}))
    UPDATE last_seen AS known SET at = to_timestamp(least(seen.at, :now) / 1e6::float8)
    FROM alone, unnest(string_to_array(CAST(:sids AS text), ','), CAST(:times AS bigint[])) AS seen (sid, at)
    WHERE known.sid = seen.sid AND known.at < to_timestamp(least(seen.at, :now) / 1e6::float8)
""")  # noqa: S608 - a number of ours
)
_ON_SQLITE: Final = Direct(
    text("""
    UPDATE last_seen SET at = seen.value FROM json_each(:seen) AS seen WHERE sid = seen.key AND at < seen.value
""")
)


def note(session: ViewingSession, now: datetime) -> None:
    """Let this transaction know that the session is seen now. `move` writes it, as the last thing that is done."""
    set_committed_value(session, "last_seen_at", max(session.last_seen_at, now))


async def move(db: AsyncSession, seen: Mapping[str, float], now: datetime) -> None:
    """Move the times of these sessions forward, in seconds since 1970, all in one statement; no lock may follow.

    Sids have no commas. Those that are unknown are passed over.
    """
    latest = now.timestamp()
    if db.get_bind().dialect.name == "postgresql":
        times = ",".join([str(int(at * _MICRO + 0.5)) for at in seen.values()])
        values = {"sids": ",".join(seen), "times": f"{{{times}}}", "now": int(latest * _MICRO + 0.5)}
        await _ON_POSTGRESQL.run(db, values)
    else:
        texts = {sid: sqlite_time(datetime.fromtimestamp(min(at, latest), UTC)) for sid, at in seen.items()}
        await run_on_sqlite(db, [_ON_SQLITE], {"seen": json.dumps(texts)})


def moved_forward() -> Update:
    """Move one row, whose new values are given."""
    at = LastSeen.__table__.c.at
    return change_of(LastSeen, "at").where(at < bindparam("last_seen_at", type_=at.type))
