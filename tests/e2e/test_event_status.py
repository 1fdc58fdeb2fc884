"""The status of an event, from its real stream through a real gate; many requests cost one probe."""

import asyncio
import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

import httpx2
import pytest

from authz_sidecar.contract.playback_token import READER_SUB
from tests.support.clients.people import Organiser
from tests.support.media.video import live, make_recording
from tests.support.services.stack import ADMIN_PASSWORD, StackUnderTest
from tests.support.threads import in_thread
from tests.support.waiting import eventually

pytestmark = pytest.mark.own_stack

READER = sha256(READER_SUB.encode()).hexdigest()[:12]
WAITING = 1_000
BEFORE, AFTER = (1, 3), (-3, -1)


@pytest.fixture(scope="module")
def api(gate: StackUnderTest) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=f"{gate.url}/api/admin", timeout=30) as client:
        client.post("/login", json={"password": ADMIN_PASSWORD}).raise_for_status()
        yield client


@pytest.fixture
def status_of(gate: StackUnderTest, organiser: Organiser) -> Callable[[str], str]:
    codes: dict[str, str] = {}

    def ask(event_id: str) -> str:
        code = codes.setdefault(event_id, organiser.tickets(event_id)[0].code)
        answer = httpx2.get(f"{gate.url}/api/events/{event_id}/status", params={"code": code}, timeout=30)
        return str(answer.json()["status"])

    return ask


def within(hours: tuple[float, float]) -> dict[str, str]:
    now = datetime.now(UTC)
    starts, ends = (now + timedelta(hours=number) for number in hours)
    return {"startsAt": starts.isoformat(), "endsAt": ends.isoformat()}


def test_a_stream_that_begins_early_is_live_and_one_that_dies_within_the_window_is_interrupted(
    gate: StackUnderTest, organiser: Organiser, status_of: Callable[[str], str]
) -> None:
    early, now = organiser.create_event(**within(BEFORE), holdUntilStart=False), organiser.create_event()
    eventually(lambda: (status_of(early), status_of(now)) == ("not-started", "not-started"), within=30, every=1)
    with live(gate.streams / early), live(gate.streams / now):
        eventually(lambda: (status_of(early), status_of(now)) == ("live", "live"), within=30, every=1)
        before = looks(gate, now)
        eventually(lambda: status_of(now) and looks(gate, now) > before, within=30, every=1, what="it is seen to move")
    for event_id in (early, now):
        playlist = gate.streams / event_id / "stream.m3u8"
        playlist.write_text(playlist.read_text().replace("#EXT-X-ENDLIST\n", ""))  # like a killed encoder
    eventually(lambda: (status_of(early), status_of(now)) == ("not-started", "interrupted"), within=40, every=1)
    with live(gate.streams / now):
        eventually(lambda: status_of(now) == "live", within=30, every=1)


def test_a_stream_that_runs_over_is_live_until_it_ends(
    gate: StackUnderTest, organiser: Organiser, status_of: Callable[[str], str]
) -> None:
    event_id = organiser.create_event(**within(AFTER))
    assert status_of(event_id) == "ended"
    with live(gate.streams / event_id):
        eventually(lambda: status_of(event_id) == "live", within=30, every=1)
    eventually(lambda: status_of(event_id) == "recording", within=30, every=1)


def test_a_recording_is_reported_as_such_from_the_start(
    gate: StackUnderTest, organiser: Organiser, status_of: Callable[[str], str]
) -> None:
    events = [organiser.create_event(**within(hours)) for hours in (BEFORE, (-1, 1), AFTER)]
    for event_id in events:
        make_recording(gate.streams / event_id, seconds=4)
    as_they_are = ["not-started", "recording", "recording"]
    eventually(lambda: [status_of(event_id) for event_id in events] == as_they_are, within=30, every=1)


def test_a_stream_test_reports_what_a_player_would_get(
    gate: StackUnderTest, organiser: Organiser, api: httpx2.Client, recording: str
) -> None:
    def tested(event_id: str) -> dict[str, Any]:
        answer = api.post(f"/events/{event_id}/test-stream")
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()["data"]
        return found

    found = tested(recording)
    assert (found["isReachable"], found["state"], found["problem"]) == (True, "recording", None)
    assert [one["resolution"] for one in found["renditions"]] == ["640x360", "320x180"]
    assert all("mp4a" in one["codecs"] for one in found["renditions"])
    assert found["targetDuration"] == 2
    nothing = tested(organiser.create_event())
    assert (nothing["isReachable"], nothing["state"]) == (False, "missing")
    with live(gate.streams / (event_id := organiser.create_event())):
        eventually(lambda: tested(event_id)["state"] == "live", within=60, every=1)
    organiser.deactivate(event_id)
    eventually(lambda: "deactivated" in str(tested(event_id)["problem"]), within=10)


def test_a_thousand_waiting_viewers_cost_one_probe_in_five_seconds(
    gate: StackUnderTest, organiser: Organiser, recording: str
) -> None:
    code = organiser.tickets(recording)[0].code
    url = f"{gate.url}/api/events/{recording}/status"

    async def ask_all() -> Counter[str]:
        answers: Counter[str] = Counter()
        limits = httpx2.Limits(max_connections=200)
        async with httpx2.AsyncClient(timeout=120, limits=limits) as client:

            async def ask() -> None:
                answer = await client.get(url, params={"code": code})
                answers[answer.json()["status"]] += 1

            await asyncio.gather(*(ask() for _ in range(WAITING)))
        return answers

    before, began = looks(gate, recording), time.monotonic()
    answers = in_thread(lambda: asyncio.run(ask_all()))
    took = time.monotonic() - began
    assert sum(answers.values()) == WAITING
    assert set(answers) <= {"recording", "live"}  # "live" comes from the clock, if half a second was not enough
    looked = eventually(lambda: looks(gate, recording) - before, within=15)
    assert 1 <= looked <= took / 5 + 1 + took / 60 + 1, "and the watch for trouble looks once a minute"


def looks(gate: StackUnderTest, event_id: str) -> int:
    """Return how often the control plane has read this event's playlist, from nginx's log."""
    lines = (gate.home / "log" / "access.jsonl").read_text().splitlines()
    entries = [json.loads(line) for line in lines]
    path = f"/streams/{event_id}/stream.m3u8"
    return sum(entry["path"] == path and entry["ticket"] == READER for entry in entries)
