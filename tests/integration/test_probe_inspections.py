"""Inspections of streams through a fake gate: their requests, and the reasons why nothing can be watched."""

import pytest

from control_plane.clock import utc_now
from control_plane.streams.event_status import Stream
from control_plane.streams.faults import FaultReason
from control_plane.streams.probe import Probe
from tests.support.media.origin import Origin, Reply
from tests.support.media.probing import ENDED, LIVE, MASTER, an_event, put

pytestmark = pytest.mark.anyio


async def test_an_inspection_reads_the_beginning_of_files_and_no_more(gate: Origin, probe: Probe) -> None:
    event = an_event()
    put(gate, event, MASTER.format(uri="0/index.m3u8"))
    put(gate, event, ENDED, "0/index.m3u8")
    put(gate, event, "no media" * 100_000, "0/1.ts")
    found = await probe.inspect(event, utc_now)
    assert found.stream is Stream.COMPLETE
    [seen] = found.renditions
    assert (seen.entry.resolution, seen.file) == ("640x360", "0/index.m3u8")
    assert [asked.headers.get("range") for asked in gate.asked] == [None, None, "bytes=0-65535"]
    assert [(fault.file, fault.reason) for fault in found.faults] == [("0/1.ts", FaultReason.NOT_MEDIA)]


@pytest.mark.parametrize(
    ("reply", "reason", "words"),
    [
        (Reply(404), FaultReason.MISSING, "not there (404)"),
        (Reply(200, b"<html>"), FaultReason.NOT_A_PLAYLIST, "not an HLS playlist"),
        (Reply(200, LIVE.replace("#EXTINF:2,\n1.ts\n", "").encode()), FaultReason.NO_SEGMENTS, "no segments yet"),
        (Reply(502), FaultReason.UNREACHABLE, "origin of this stream cannot be reached"),
        (
            Reply(502, headers={"X-Origin-Answer": "302 to /x"}),
            FaultReason.UNREACHABLE,
            "did not deliver it: 302 to /x.",
        ),
        (Reply(503), FaultReason.GATE, "not ready"),
        (Reply(418), FaultReason.UNREACHABLE, "answered 418"),
    ],
)
async def test_an_inspection_says_why_there_is_nothing_to_watch(
    gate: Origin, probe: Probe, reply: Reply, reason: FaultReason, words: str
) -> None:
    event = an_event()
    gate.answer(f"/streams/{event.id}/stream.m3u8", reply)
    [fault] = (await probe.inspect(event, utc_now)).faults
    assert (fault.file, fault.reason) == ("stream.m3u8", reason)
    assert words in fault.sentence


async def test_an_inspection_of_a_closed_event_or_without_a_gate_says_so(gate: Origin, probe: Probe) -> None:
    deactivated = an_event()
    deactivated.is_active = False
    gate.answer(f"/streams/{deactivated.id}/stream.m3u8", Reply(403))
    assert "deactivated" in str((await probe.inspect(deactivated, utc_now)).problem)
    gate.stop()
    assert "no answer" in str((await probe.inspect(deactivated, utc_now)).problem)
    assert "HLS_SERVER_INTERNAL_URL" in str((await Probe(None).inspect(deactivated, utc_now)).problem)
