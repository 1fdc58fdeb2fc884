"""When live sessions were last seen: a narrow table into which reports and heartbeats write a thousand rows at once.

A time only moves forward, never past now. Whether a session has ended is not checked: an ended one keeps its own time
(`seen_until`), so what is written here afterwards is not shown anywhere and revives nothing.

These rows cause no deadlock. A transaction that changes or deletes rows that others can see holds Lock.LAST_SEEN, and
takes it last: its holder waits for no other lock. A refresh does not hold it; it moves one row with the last statement
of its transaction. So locks on these rows are always released soon.
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
from control_plane.tables import LastSeen, ViewingSession

_MICRO: Final = 1e6  # integers are written and parsed faster than fractions
# The advisory lock is taken before the first row is locked: a row of the join needs all of its sources.
_ON_POSTGRESQL: Final = Direct(
    text(f"""
    WITH alone AS MATERIALIZED (SELECT pg_advisory_xact_lock({Lock.LAST_SEEN.value}))
    UPDATE last_seen AS known SET at = to_timestamp(least(seen.at, :now) / 1e6::float8)
    FROM alone, unnest(string_to_array(CAST(:sids AS text), ','), CAST(:times AS bigint[])) AS seen (sid, at)
    WHERE known.sid = seen.sid AND known.at < to_timestamp(least(seen.at, :now) / 1e6::float8)
""")  # noqa: S608 - our own number
)
_ON_SQLITE: Final = Direct(
    text("""
    UPDATE last_seen SET at = seen.value FROM json_each(:seen) AS seen WHERE sid = seen.key AND at < seen.value
""")
)


def note(session: ViewingSession, now: datetime) -> None:
    """Mark the session as seen now within this transaction. `move` writes it, as the last statement."""
    set_committed_value(session, "last_seen_at", max(session.last_seen_at, now))


async def move(db: AsyncSession, seen: Mapping[str, float], now: datetime) -> None:
    """Move the times of these sessions (seconds since 1970) forward in one statement; take no lock after it.

    Sids contain no commas. Unknown ones are ignored.
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
    """Return the statement that moves one row forward, with its values as parameters."""
    at = LastSeen.__table__.c.at
    return change_of(LastSeen, "at").where(at < bindparam("last_seen_at", type_=at.type))
