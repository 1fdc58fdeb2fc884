"""The start and end of an event are reported once: by its stream if there is one, otherwise by the clock."""

import json
from collections.abc import AsyncIterator
from datetime import timedelta

import anyio
import pytest
from sqlalchemy import select

from control_plane.clock import utc_now
from control_plane.db.database import Database
from control_plane.lifecycle import revocation
from control_plane.lifecycle.event_news import check_events
from control_plane.streams.probe import Probe
from control_plane.tables import Event, EventNews
from control_plane.webhooks.outbox import Topic
from tests.support.clients.api import SEALER
from tests.support.data.hooks import add_event, add_webhook, outbox_of
from tests.support.media.origin import Origin

pytestmark = [pytest.mark.anyio, pytest.mark.both_databases]
START = utc_now()
BLIND = Probe(None)
LIVE = "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:{n}\n#EXTINF:2,\n{n}.ts\n"


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    database = Database(database_url, SEALER)
    yield database
    await database.close()


async def look(database: Database, minutes: float, probe: Probe = BLIND, seconds: float = 0) -> None:
    await check_events(database, probe, lambda: START + timedelta(minutes=minutes, seconds=seconds))


async def reported(database: Database) -> list[tuple[str, str]]:
    messages = [json.loads(message.body) for message in await outbox_of(database)]
    return [(message["type"], message["data"]["eventId"]) for message in messages]


async def go_on(gate: Origin, event: Event, database: Database, probe: Probe, minutes: float) -> None:
    """Let the stream advance between two probes."""
    for number, seconds in ((1, 0), (2, 6)):
        gate.put(f"/streams/{event.id}/stream.m3u8", LIVE.format(n=int(minutes * 100) + number))
        await look(database, minutes, probe, seconds)


async def test_news_has_the_time_of_its_transaction_not_of_the_probe_before_it(database: Database) -> None:
    await add_event(database, START)
    times = iter([START, START + timedelta(seconds=7)])
    await check_events(database, BLIND, lambda: next(times))
    async with database.read() as db:
        assert await db.scalar(select(EventNews.at)) == START + timedelta(seconds=7)


async def test_the_clock_starts_and_ends_an_event_once(database: Database) -> None:
    await add_webhook(database, "https://hooks.example.org/")
    event = await add_event(database, START)
    for minutes in (-30, -1):
        await look(database, minutes)
    assert await reported(database) == []
    for minutes in (0, 1, 60, 119):
        await look(database, minutes)
    assert await reported(database) == [("event.live", event.id)]
    for minutes in (120, 121, 600):
        await look(database, minutes)
    assert await reported(database) == [("event.live", event.id), ("event.ended", event.id)]


async def test_of_several_processes_that_notice_it_at_once_one_reports_it(
    database: Database, database_url: str
) -> None:
    await add_webhook(database, "https://hooks.example.org/")
    event = await add_event(database, START)
    others = [Database(database_url, SEALER) for _ in range(5)]
    async with anyio.create_task_group() as tasks:
        for other in others:
            tasks.start_soon(look, other, 1)
    for other in others:
        await other.close()
    assert await reported(database) == [("event.live", event.id)]


async def test_a_webhook_gets_no_messages_from_before_its_creation(database: Database) -> None:
    event = await add_event(database, START)
    await look(database, 1)
    await add_webhook(database, "https://hooks.example.org/")
    await look(database, 2)
    assert await reported(database) == []
    await look(database, 121)
    assert await reported(database) == [("event.ended", event.id)]


async def test_an_event_that_ended_long_ago_is_not_reported(database: Database) -> None:
    await add_webhook(database, "https://hooks.example.org/")
    await add_event(database, START - timedelta(days=3))
    await look(database, 0)
    assert await reported(database) == []


async def test_an_event_with_a_stream_begins_with_the_stream(database: Database, gate: Origin, probe: Probe) -> None:
    await add_webhook(database, "https://hooks.example.org/")
    late = await add_event(database, START)
    early = await add_event(database, START + timedelta(minutes=50), hold_until_start=False)
    await look(database, 10, probe)
    assert await reported(database) == []
    await go_on(gate, late, database, probe, 20)
    await go_on(gate, early, database, probe, 30)
    assert await reported(database) == [("event.live", late.id), ("event.live", early.id)]


async def test_an_event_that_runs_over_ends_with_its_stream(database: Database, gate: Origin, probe: Probe) -> None:
    await add_webhook(database, "https://hooks.example.org/", [Topic.EVENT_ENDED])
    event = await add_event(database, START)
    for number, seconds in enumerate(range(-30, 60, 6)):
        gate.put(f"/streams/{event.id}/stream.m3u8", LIVE.format(n=number))
        await look(database, 120, probe, seconds)
    assert await reported(database) == []
    for seconds in (60, 66):
        await look(database, 120, probe, seconds)
    assert await reported(database) == [("event.ended", event.id)]


async def test_streams_are_probed_only_if_a_webhook_needs_it(database: Database, gate: Origin, probe: Probe) -> None:
    await add_event(database, START)
    await add_webhook(database, "https://hooks.example.org/", [Topic.TICKET_REVOKED])
    await look(database, 1, probe)
    assert gate.asked == []


async def test_a_deactivated_event_does_not_begin_and_one_that_had_begun_ends(database: Database) -> None:
    await add_webhook(database, "https://hooks.example.org/", [Topic.EVENT_LIVE, Topic.EVENT_ENDED])
    begun, never = await add_event(database, START), await add_event(database, START + timedelta(minutes=10))
    await look(database, 1)
    for event in (begun, never):
        async with database.write() as db:
            await revocation.deactivate(db, event.id, START)
    await look(database, 20)
    await look(database, 140)
    assert await reported(database) == [("event.live", begun.id), ("event.ended", begun.id)]
