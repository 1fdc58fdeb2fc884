"""Trouble with a stream and its end are each reported once, per event, with the faults."""

import json
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from structlog.testing import capture_logs

from control_plane.clock import utc_now
from control_plane.db.database import Database
from control_plane.lifecycle import event_trouble
from control_plane.sessions.trouble import Trouble, TroubleKind, TroubleReports
from control_plane.streams.probe import Probe
from control_plane.streams.stream_watch import StreamWatch
from control_plane.tables import Event, EventTrouble
from control_plane.webhooks.outbox import Topic
from tests.support.clients.api import SEALER, Admin, ControlPlane
from tests.support.data.hooks import add_event, add_webhook, outbox_of
from tests.support.media.origin import Origin, Reply

pytestmark = pytest.mark.anyio
NOW = utc_now()
STARTED = NOW - timedelta(hours=1)
MASTER = "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=2\nhigh.m3u8\n#EXT-X-STREAM-INF:BANDWIDTH=1\nlow.m3u8\n"
SEGMENT = b"\x47\x1f\xff\x10".ljust(188, b"\xff") * 3


class Watched:
    """A gate, a database with a webhook, and a watch that probes every ten seconds of a simulated clock."""

    def __init__(self, database: Database, gate: Origin, probe: Probe) -> None:
        self.database, self.gate, self.probe = database, gate, probe
        self.watch, self.reports = StreamWatch(probe), TroubleReports()
        self.seconds = 0.0

    @property
    def now(self) -> datetime:
        return NOW + timedelta(seconds=self.seconds)

    async def look(self, times: int = 1, *moving: tuple[Event, str]) -> None:
        for _ in range(times):
            self.seconds += event_trouble.EVERY_SECONDS
            for event, name in moving:
                self.put(event, name)
            await event_trouble.check_events(self.database, self.watch, self.reports, lambda: self.now, self.seconds)

    def put(self, event: Event, name: str) -> None:
        """Write a live playlist with a new segment."""
        number = int(self.seconds)
        reported = f"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:{number}\n#EXTINF:2,\n{number}.ts\n"
        self.gate.put(f"/streams/{event.id}/{name}.m3u8", reported)
        self.gate.put(f"/streams/{event.id}/{number}.ts", SEGMENT)

    async def two_renditions(self) -> Event:
        event = await add_event(self.database, STARTED)
        self.gate.put(f"/streams/{event.id}/stream.m3u8", MASTER)
        return event

    async def reported(self) -> list[dict[str, Any]]:
        return [json.loads(message.body)["data"] for message in await outbox_of(self.database)]

    async def standing(self, event: Event) -> list[tuple[str, str]]:
        async with self.database.read() as db:
            found = await event_trouble.of_events(db, [event.id])
        return [(fault.file, fault.reason.value) for fault in found[event.id][1]] if found else []


@pytest.fixture
async def watched(database_url: str, gate: Origin, probe: Probe) -> AsyncIterator[Watched]:
    database = Database(database_url, SEALER)
    await add_webhook(database, "https://hooks.example.org/", [Topic.EVENT_TROUBLE])
    yield Watched(database, gate, probe)
    await database.close()


async def test_a_stalled_rendition_and_its_recovery_are_each_reported_once(watched: Watched) -> None:
    event, sound = await watched.two_renditions(), await watched.two_renditions()
    well = [(sound, "high"), (sound, "low")]
    with capture_logs() as logs:
        await watched.look(4, (event, "high"), (event, "low"), *well)
        assert await watched.reported() == []
        await watched.look(12, (event, "high"), *well)
        assert await watched.standing(event) == [("low.m3u8", "stands-still")]
        await watched.look(12, (event, "high"), (event, "low"), *well)
    assert await watched.standing(event) == []
    began, over = await watched.reported()
    assert (began["eventId"], began["isOver"], began["eventTitle"]) == (event.id, False, "Concert")
    [fault] = began["faults"]
    assert (fault["file"], fault["reason"]) == ("low.m3u8", "stands-still")
    assert (over["eventId"], over["isOver"], over["faults"]) == (event.id, True, [])
    assert over["since"] == began["since"]
    assert [(line["event"], line["event_id"]) for line in logs] == [
        ("event_trouble", event.id),
        ("event_trouble_over", event.id),
    ]


async def test_one_failed_probe_is_no_trouble_and_flapping_is_reported_once(watched: Watched) -> None:
    event = await watched.two_renditions()
    live = (event, "high"), (event, "low")
    path = f"/streams/{event.id}/stream.m3u8"
    for turn in range(10):
        watched.gate.answer(path, Reply(502) if turn % 2 else Reply(200, MASTER.encode()))
        await watched.look(1, *live)
    assert await watched.reported() == []
    for turn in range(20):
        watched.gate.answer(path, Reply(502) if turn % 4 < 2 else Reply(200, MASTER.encode()))
        await watched.look(1, *live)
    assert [reported["isOver"] for reported in await watched.reported()] == [False]


async def test_a_missing_or_empty_newest_segment_is_reported(watched: Watched) -> None:
    event = await watched.two_renditions()
    await watched.look(1, (event, "high"), (event, "low"))
    for name, reply in (("gone", Reply(404)), ("empty", Reply(200))):
        watched.gate.put(
            f"/streams/{event.id}/high.m3u8", f"#EXTM3U\n#EXT-X-TARGETDURATION:900\n#EXTINF:2,\n{name}.ts\n"
        )
        watched.gate.answer(f"/streams/{event.id}/{name}.ts", reply)
        await watched.look(2, (event, "low"))
        assert (f"{name}.ts", "missing" if name == "gone" else "empty") in await watched.standing(event)


async def test_viewers_reports_are_trouble_at_once_until_a_minute_after_the_last(watched: Watched) -> None:
    event = await add_event(watched.database, STARTED)
    watched.gate.put(f"/streams/{event.id}/stream.m3u8", "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-ENDLIST\n")
    event_without_reports = await watched.two_renditions()
    for _ in range(4):
        watched.reports.report_trouble(
            event.id, "a session", Trouble(TroubleKind.MISSING, "9.ts", 404), watched.seconds
        )
        await watched.look(1, (event_without_reports, "high"), (event_without_reports, "low"))
    [began] = await watched.reported()
    assert began["eventId"] == event.id
    assert ("9.ts", "viewers") in {(fault["file"], fault["reason"]) for fault in began["faults"]}


async def test_an_event_that_has_just_begun_has_a_grace_period_of_a_minute(watched: Watched) -> None:
    event = await add_event(watched.database, NOW)
    await watched.look(5)
    assert await watched.reported() == []
    await watched.look(3)
    [began] = await watched.reported()
    assert (began["eventId"], began["faults"][0]["reason"]) == (event.id, "missing")


async def test_ended_closed_and_future_events_are_never_in_trouble(watched: Watched) -> None:
    await add_event(watched.database, NOW + timedelta(hours=1))
    await add_event(watched.database, NOW - timedelta(hours=9))
    await add_event(watched.database, STARTED, is_active=False)
    closing = await add_event(watched.database, STARTED)
    await watched.look(3)
    assert [reported["eventId"] for reported in await watched.reported()] == [closing.id]
    async with watched.database.write() as db:
        (await db.get_one(Event, closing.id)).is_active = False
    await watched.look(8)
    assert [reported["isOver"] for reported in await watched.reported()] == [False, True]


async def test_an_unreachable_gate_is_not_stream_trouble(watched: Watched) -> None:
    await watched.two_renditions()
    watched.gate.stop()
    await watched.look(4)
    assert await watched.reported() == []


async def test_two_processes_report_trouble_once_and_neither_ends_what_the_other_sees(watched: Watched) -> None:
    event = await add_event(watched.database, STARTED)
    other = Watched(watched.database, watched.gate, Probe(None))
    await watched.look(3)
    for _ in range(12):
        other.seconds = watched.seconds
        await other.look()
        await watched.look()
    assert [reported["eventId"] for reported in await watched.reported()] == [event.id]


async def test_an_intact_recording_is_read_once_a_minute(watched: Watched) -> None:
    event = await add_event(watched.database, STARTED)
    reported = "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n1.ts\n#EXT-X-ENDLIST\n"
    watched.gate.put(f"/streams/{event.id}/stream.m3u8", reported)
    await watched.look(12)
    assert len(watched.gate.asked) == 2


async def test_the_api_shows_the_trouble_of_an_event_and_of_no_other(plane: ControlPlane, admin: Admin) -> None:
    event_id, sound = await admin.create_event(), await admin.create_event()
    faults = json.dumps([["low.m3u8", "error", "stands-still", "It does not move."]])
    now = utc_now()
    async with plane.services.database.write() as db:
        db.add(EventTrouble(event_id=event_id, since=now, seen_at=now, faults=faults))
    listed = {one["id"]: one["trouble"] for one in (await admin.list("/events"))["data"]}
    shown = (await admin.list(f"/events/{event_id}"))["data"]["trouble"]
    assert (listed[event_id], listed[sound]) == (shown, None)
    assert datetime.fromisoformat(shown["since"]) == now
    assert shown["faults"] == [{"file": "low.m3u8", "reason": "stands-still", "sentence": "It does not move."}]


async def test_trouble_ends_also_where_more_events_are_on_than_are_watched(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    event = await watched.two_renditions()
    both = (event, "high"), (event, "low")
    await watched.look(4, *both)
    await watched.look(12, (event, "high"))
    assert await watched.standing(event) == [("low.m3u8", "stands-still")]
    monkeypatch.setattr(event_trouble, "_MAX_EVENTS", 1)
    await add_event(watched.database, STARTED + timedelta(minutes=1))
    await watched.look(12, *both)
    assert await watched.standing(event) == []
