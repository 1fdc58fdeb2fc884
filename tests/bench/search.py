"""Search a million tickets: `python -m tests.bench.search [TICKETS]`, on SQLite and on PostgreSQL.

Each search is run repeatedly as the API runs it, with page and total; the slowest search counts.
"""

import random
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import anyio
from sqlalchemy import insert, select, text

from control_plane.codes import ALPHABET
from control_plane.db.database import Database, create_engine, upgrade_schema
from control_plane.tables import Event, Ticket
from control_plane.tickets import ticket_search
from control_plane.tickets.tickets import TicketFilter
from tests.bench import targets
from tests.support.services.postgres import running_postgres

TICKETS: Final = 1_000_000
TIMES: Final = 20
_AT_ONCE: Final = 10_000
_BATCH: Final = 1_000  # tickets with the same creation time
_BEGIN: Final = datetime(2027, 1, 1, tzinfo=UTC)
_NOW: Final = _BEGIN + timedelta(days=60)
_FESTIVAL: Final = 100_000  # the oldest tickets, which share a text that no other ticket has
_SHARES: Final = (0.5, 0.2, 0.1, 0.1, 0.05, 0.03, 0.01, 0.005, 0.004, 0.001)  # of the events, the largest first
_WANTED_P50_MS: Final = 100
_PRESS_EVERY: Final = 5_000
_REVOKED_EVERY: Final = 10_000
_REDEEMED_EVERY: Final = 100


@dataclass(frozen=True)
class Question:
    words: str
    wanted: TicketFilter
    page: int = 1


def main(arguments: Sequence[str]) -> None:
    count = int(arguments[0]) if arguments else TICKETS
    with tempfile.TemporaryDirectory(prefix="streamgate-search-") as folder:
        _measure("SQLite", f"sqlite+aiosqlite:///{Path(folder) / 'streamgate.db'}", count)
    with running_postgres() as server, server.new_database("template1") as url:
        _measure("PostgreSQL", url, count)


def _measure(name: str, url: str, count: int) -> None:
    upgrade_schema(url)
    begun = time.perf_counter()
    anyio.run(_fill, url, count)
    print(f"\n{name}: {count:,} tickets, made in {time.perf_counter() - begun:.0f} s")
    print(f"{'':54}{'found':>9}{'p50 ms':>9}{'max ms':>9}  p50 < {_WANTED_P50_MS} ms")
    anyio.run(_ask_all, url)


async def _ask_all(url: str) -> None:
    database = Database(url)
    async with database.read() as db:
        code = (await db.scalars(select(Ticket.code).order_by(Ticket.id).limit(1))).one()
    for question in _questions(code):
        times, found = [], ticket_search.SearchPage([], 0)
        for _ in range(TIMES):
            begun = time.perf_counter()
            async with database.read() as db:
                found = await ticket_search.page(db, question.wanted, _NOW, (question.page - 1) * 50, 50)
            times.append((time.perf_counter() - begun) * 1000)
        p50 = statistics.median(times)
        verdict = targets.verdict(question.words, reached=p50 < _WANTED_P50_MS)
        total = f"{found.total:,}{'' if found.is_whole else '+'}"
        print(f"{question.words:54}{total:>9}{p50:>9.1f}{max(times):>9.1f}  {verdict}", flush=True)
    await database.close()


def _questions(code: str) -> Iterator[Question]:
    large, small = _event_id(0), _event_id(9)
    yield Question("a whole code", TicketFilter(search=code))
    yield Question("four characters of a code, in another case", TicketFilter(search=code[3:7].swapcase()))
    yield Question("three characters", TicketFilter(search=code[3:6]))
    yield Question("three characters in the largest event", TicketFilter(large, search=code[3:6]))
    yield Question("what no ticket has", TicketFilter(search="nobody at all"))
    yield Question("a label that every 5,000th has", TicketFilter(search="press"))
    yield Question("... in the largest event", TicketFilter(large, search="press"))
    yield Question("... in the smallest event", TicketFilter(small, search="press"))
    yield Question("... revoked", TicketFilter(status="revoked", search="press"))
    yield Question("a label that one in a hundred has", TicketFilter(search="row 42"))
    yield Question("... the last page of it", TicketFilter(search="row 42"), page=90)
    yield Question("a label that one in twenty has", TicketFilter(search="gate 7"))
    yield Question("a label that 100,000 old tickets have", TicketFilter(search="festival"))
    yield Question("... redeemed", TicketFilter(status="redeemed", search="festival"))
    yield Question("a label that nearly all have", TicketFilter(search="guest"))
    yield Question("... page 80", TicketFilter(search="guest"), page=80)
    yield Question("... in the largest event", TicketFilter(large, search="guest"))
    yield Question("... in the smallest event", TicketFilter(small, search="guest"))
    yield Question("... revoked", TicketFilter(status="revoked", search="guest"))
    yield Question("... redeemed in the largest event", TicketFilter(large, "redeemed", "guest"))
    yield Question("two characters", TicketFilter(search=code[3:5]))
    yield Question("one character in the largest event", TicketFilter(large, search="%"))
    yield Question("no search: all", TicketFilter())
    yield Question("no search: all, page 1,000", TicketFilter(), page=1000)
    yield Question("no search: the largest event", TicketFilter(large))
    for status in ("revoked", "redeemed", "unused", "expired"):
        yield Question(f"no search: {status}", TicketFilter(status=status))
        yield Question(f"no search: {status} in the largest event", TicketFilter(large, status))


async def _fill(url: str, count: int) -> None:
    engine = create_engine(url)
    async with engine.execution_options(sqlite_begin="BEGIN IMMEDIATE").begin() as connection:
        await connection.execute(insert(Event), [_event(place) for place in range(len(_SHARES))])
    for rows in _portions(count):
        async with engine.execution_options(sqlite_begin="BEGIN IMMEDIATE").begin() as connection:
            await connection.execute(insert(Ticket).returning(Ticket.id), rows)  # batched
    if engine.dialect.name == "postgresql":  # as autovacuum would in production
        async with engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
            await connection.execute(text("VACUUM ANALYZE"))
    await engine.dispose()


def _portions(count: int) -> Iterator[list[dict[str, Any]]]:
    source = random.Random(7)  # noqa: S311 - reproducible test data
    places = source.choices(range(len(_SHARES)), _SHARES, k=-(-count // _BATCH))
    for start in range(0, count, _AT_ONCE):
        numbers = range(start, min(start + _AT_ONCE, count))
        yield [_ticket(number, places[number // _BATCH], source) for number in numbers]


def _event(place: int) -> dict[str, Any]:
    """Return an event's row. The second event is over, all others are not."""
    starts = _BEGIN - timedelta(days=60) if place == 1 else _NOW - timedelta(hours=1)
    return {
        "id": _event_id(place),
        "title": f"Event {place}",
        "starts_at": starts,
        "ends_at": starts + timedelta(hours=3),
        "created_at": _BEGIN,
        "updated_at": _BEGIN,
    }


def _ticket(number: int, place: int, source: random.Random) -> dict[str, Any]:
    made, event = _BEGIN + timedelta(seconds=number // _BATCH), _event(place)
    kind = "Press" if number % _PRESS_EVERY == 0 else "Festival" if number < _FESTIVAL else "Guest"
    label = f"{kind} {number:07d}, gate {source.randrange(20)}, row {source.randrange(100)}"
    return {
        "id": str(UUID(int=source.getrandbits(128), version=4)),
        "code": _code(source),
        "event_id": event["id"],
        "label": None if number % 10 == 1 else label,
        "is_revoked": number % _REVOKED_EVERY == 0,
        "revoked_at": made if number % _REVOKED_EVERY == 0 else None,
        "redeemed_at": made if number % _REDEEMED_EVERY == 0 else None,
        "expires_at": event["ends_at"] + timedelta(hours=48),
        "created_at": made,
    }


def _code(source: random.Random) -> str:
    return "".join(source.choices(ALPHABET, k=12))


def _event_id(place: int) -> str:
    return str(UUID(int=place + 1, version=4))


if __name__ == "__main__":
    targets.run(lambda: main(sys.argv[1:]))
