"""Probes of a stream through a fake gate, on a real socket: few, short, and never elsewhere."""

from datetime import timedelta
from email.utils import format_datetime

import anyio
import pytest
from structlog.testing import capture_logs

from authz_sidecar.contract.playback_token import READER_SID, READER_SUB, verify
from control_plane.clock import utc_now
from control_plane.streams.event_status import Status
from control_plane.streams.playlist_reader import MAX_PLAYLIST_BYTES
from control_plane.streams.probe import Probe
from tests.support.data.forging import RING
from tests.support.media.origin import Asked, Origin, Reply
from tests.support.media.probing import ENDED, LIVE, MASTER, NOW, an_event, put, reader_of

pytestmark = pytest.mark.anyio
ELSEWHERE = [
    "http://169.254.169.254/latest/meta-data/index.m3u8",
    "//127.0.0.1:1/index.m3u8",
    "http://169.254.169.254{folder}/0/index.m3u8",
    "../../internal/feed.m3u8",
    "/internal/feed.m3u8",
    "%2e%2e/%2e%2e/internal/feed.m3u8",
    "a/..;/b.m3u8",
    "http://[::1/index.m3u8",
    "file:///etc/passwd.m3u8",
]


async def test_a_hundred_simultaneous_requests_cost_one_probe_and_the_next_five_seconds_none(
    gate: Origin, probe: Probe
) -> None:
    event = an_event(starts_in_hours=-2, ends_in_hours=-1)
    put(gate, event, ENDED)
    seen: list[Status] = []

    async def ask(seconds: float) -> None:
        seen.append(await probe.status(event, NOW + timedelta(seconds=seconds)))

    async with anyio.create_task_group() as tasks:
        for number in range(100):
            tasks.start_soon(ask, number / 100)
    await ask(4.9)
    assert seen == [Status.RECORDING] * 101
    assert len(gate.asked) == 1
    await ask(5.1)
    assert len(gate.asked) == 2


async def test_it_uses_a_short_lived_reader_token(gate: Origin, probe: Probe) -> None:
    event = an_event()
    event.tokens_not_before = int(NOW.timestamp()) + 1
    await probe.status(event, NOW)
    headers = gate.asked[0].headers
    claims = verify(headers["authorization"].removeprefix("Bearer "), RING, NOW.timestamp())
    assert (claims.eid, claims.sub, claims.sid) == (event.id, READER_SUB, READER_SID)
    assert (claims.iat, claims.exp - claims.iat) == (event.tokens_not_before, 10)
    assert headers["accept-encoding"] == "identity"


async def test_an_advancing_stream_is_live_before_its_start_and_after_its_end(gate: Origin, probe: Probe) -> None:
    for event in (an_event(1, 2), an_event(-2, -1)):
        put(gate, event, LIVE)
        await probe.status(event, NOW)
        put(gate, event, f"{LIVE}#EXTINF:2,\n2.ts\n")
        assert await probe.status(event, NOW + timedelta(seconds=6)) is Status.LIVE


async def test_a_missing_stream_means_not_started_until_the_end(gate: Origin, probe: Probe) -> None:
    assert await probe.status(an_event(), NOW) is Status.NOT_STARTED
    assert await probe.status(an_event(-2, -1), NOW) is Status.ENDED
    assert gate.asked


@pytest.mark.parametrize("status", [301, 302, 401, 403, 500, 502, 503, 504])
async def test_a_gate_that_refuses_or_redirects_leaves_it_to_the_clock(gate: Origin, probe: Probe, status: int) -> None:
    event = an_event()
    path = f"/streams/{event.id}/stream.m3u8"
    gate.answer(path, Reply(status, b"", {"Location": f"{gate.url}/elsewhere.m3u8"}))
    assert await probe.status(event, NOW) is Status.LIVE
    assert {asked.target for asked in gate.asked} == {f"/hls{path}"}


async def test_an_unreachable_gate_leaves_it_to_the_clock(gate: Origin, probe: Probe) -> None:
    gate.stop()
    assert await probe.status(an_event(), NOW) is Status.LIVE
    assert await probe.status(an_event(1, 2), NOW) is Status.NOT_STARTED
    assert await probe.status(an_event(-2, -1), NOW) is Status.ENDED


async def test_a_gate_that_hangs_is_waited_for_half_a_second(gate: Origin) -> None:
    event, probe = an_event(), Probe(reader_of(gate))
    gate.answer(f"/streams/{event.id}/stream.m3u8", Reply(200, ENDED.encode(), delay=60))
    began = anyio.current_time()
    assert await probe.status(event, NOW) is Status.LIVE
    assert await probe.status(event, NOW + timedelta(seconds=1)) is Status.LIVE
    assert 0.4 < anyio.current_time() - began < 30
    assert len(gate.asked) <= 1
    await probe.close()


@pytest.mark.parametrize("uri", ELSEWHERE)
async def test_it_never_requests_files_outside_of_the_events_folder(gate: Origin, probe: Probe, uri: str) -> None:
    event = an_event()
    put(gate, event, MASTER.format(uri=uri.replace("{folder}", f"/streams/{event.id}")))
    assert await probe.status(event, NOW) is Status.LIVE
    assert len(gate.asked) == 1


@pytest.mark.parametrize("uri", ["0/index.m3u8", "./0/index.m3u8?_HLS_x=1", "{folder}/0/index.m3u8"])
async def test_it_follows_a_master_playlist_to_its_first_variant(gate: Origin, probe: Probe, uri: str) -> None:
    event = an_event(-2, -1)
    put(gate, event, MASTER.format(uri=uri.format(folder=f"/streams/{event.id}")))
    put(gate, event, ENDED, "0/index.m3u8")
    assert await probe.status(event, NOW) is Status.RECORDING
    assert len(gate.asked) == 2


async def test_a_nested_or_empty_master_playlist_is_no_stream(gate: Origin, probe: Probe) -> None:
    loop, broken = an_event(), an_event()
    put(gate, loop, MASTER.format(uri="stream.m3u8"))
    put(gate, broken, MASTER.format(uri="0/index.m3u8"))
    assert await probe.status(loop, NOW) is Status.NOT_STARTED
    assert await probe.status(broken, NOW) is Status.NOT_STARTED
    assert len(gate.asked) == 4


async def test_a_playlist_of_more_than_sixteen_megabytes_is_not_read_to_its_end(gate: Origin, probe: Probe) -> None:
    event = an_event(-2, -1)
    put(gate, event, ENDED + "#" * MAX_PLAYLIST_BYTES)
    assert await probe.status(event, NOW) is Status.ENDED
    assert "larger than 16 megabytes" in str((await probe.inspect(event, utc_now)).problem)


async def test_a_playlist_of_ten_hours_is_read(gate: Origin, probe: Probe) -> None:
    recording, window = an_event(-2, -1), an_event(-11, 1)
    segments = "".join(f"#EXTINF:2.000000,\nv1/{n:08}.ts?token={'a' * 200}\n" for n in range(18_000))
    heading = "#EXTM3U\n#EXT-X-TARGETDURATION:2\n"
    put(gate, recording, f"{heading}{segments}#EXT-X-ENDLIST\n")
    put(gate, window, heading + segments)
    assert len(segments) > 4_000_000
    assert await probe.status(recording, NOW) is Status.RECORDING
    await probe.status(window, NOW)
    put(gate, window, f"{heading}#EXT-X-MEDIA-SEQUENCE:1\n{segments}#EXTINF:2,\nnext.ts\n")
    assert await probe.status(window, NOW + timedelta(seconds=6)) is Status.LIVE
    [seen] = (await probe.inspect(recording, utc_now)).renditions
    assert seen.media
    assert seen.media.segments == 18_000


async def test_the_result_of_a_slow_probe_is_used_by_the_next_request(
    gate: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("control_plane.streams.probe._MAX_PROBE_SECONDS", 60)
    event, probe = an_event(-2, -1), Probe(reader_of(gate), wait_seconds=0.1)
    gate.answer(f"/streams/{event.id}/stream.m3u8", Reply(200, ENDED.encode(), delay=0.5))
    assert await probe.status(event, NOW) is Status.ENDED
    with anyio.fail_after(20):
        while await probe.status(event, NOW) is not Status.RECORDING:
            pass
    assert len(gate.asked) == 1
    await probe.close()


@pytest.mark.parametrize("offset", [-60, -10, 10, 60])
async def test_a_wrong_clock_does_not_hide_an_advancing_stream(gate: Origin, probe: Probe, offset: int) -> None:
    event, seen = an_event(), list[Status]()
    for turn in range(8):
        written = format_datetime(NOW + timedelta(seconds=6 * min(turn, 3) + offset), usegmt=True)
        put(gate, event, numbered(min(turn, 3)), **{"Last-Modified": written})
        seen.append(await probe.status(event, NOW + timedelta(seconds=6 * turn)))
    assert seen[:5] == [Status.LIVE] * 5
    assert seen[5:] == [Status.INTERRUPTED] * 3
    put(gate, event, numbered(9), **{"Last-Modified": written})
    assert await probe.status(event, NOW + timedelta(seconds=48)) is Status.LIVE


def numbered(sequence: int) -> str:
    return LIVE.replace("#EXTINF", f"#EXT-X-MEDIA-SEQUENCE:{sequence}\n#EXTINF")


async def test_an_unreadable_stream_is_interrupted_and_can_recover(gate: Origin, probe: Probe) -> None:
    event = an_event()
    path = f"/streams/{event.id}/stream.m3u8"
    for turn in range(2):
        put(gate, event, numbered(turn))
        assert await probe.status(event, NOW + timedelta(seconds=6 * turn)) is Status.LIVE
    for turn, status in enumerate([502, 404, 503, 404]):
        gate.answer(path, Reply(status))
        told = await probe.status(event, NOW + timedelta(seconds=12 + 6 * turn))
        assert told is (Status.INTERRUPTED if turn else Status.LIVE)
    put(gate, event, numbered(0))
    assert await probe.status(event, NOW + timedelta(seconds=36)) is Status.LIVE


async def test_an_unrequested_compressed_playlist_is_not_decompressed(gate: Origin, probe: Probe) -> None:
    event = an_event(-2, -1)
    put(gate, event, ENDED, **{"Content-Encoding": "gzip"})
    assert await probe.status(event, NOW) is Status.ENDED


async def test_a_cached_result_needs_no_probe(gate: Origin, probe: Probe) -> None:
    event = an_event(-2, -1)
    put(gate, event, ENDED)
    assert probe.cached_status(event, NOW) is Status.ENDED
    assert gate.asked == []
    await probe.status(event, NOW)
    assert probe.cached_status(event, NOW + timedelta(seconds=4)) is Status.RECORDING
    assert probe.cached_status(event, NOW + timedelta(seconds=6)) is Status.ENDED


async def test_viewers_count_as_waiting_while_nothing_plays_even_after_a_late_start(gate: Origin, probe: Probe) -> None:
    """Waiting pages poll every 30 seconds; a viewer who begins to play has just polled."""
    late, on = an_event(), an_event()
    put(gate, on, ENDED)
    assert not probe.nothing_plays(late, NOW), "unknown, so somebody may be watching"
    assert probe.nothing_plays(an_event(starts_in_hours=1, ends_in_hours=2), NOW)
    for event in (late, on):
        await probe.status(event, NOW)
    assert [probe.nothing_plays(event, NOW + timedelta(seconds=39)) for event in (late, on)] == [True, False]
    assert not probe.nothing_plays(late, NOW + timedelta(seconds=41))


async def test_a_stream_that_cannot_be_seen_has_log_lines_of_its_own_that_do_not_flap(
    gate: Origin, probe: Probe
) -> None:
    broken, sound, shaky = an_event(), an_event(), an_event()
    gate.answer(f"/streams/{broken.id}/stream.m3u8", Reply(502))
    put(gate, sound, ENDED)
    with capture_logs() as lines:
        for turn in range(6):
            gate.answer(f"/streams/{shaky.id}/stream.m3u8", Reply(200, ENDED.encode()) if turn % 2 else Reply(502))
            for event in (broken, sound, shaky):
                await probe.status(event, NOW + timedelta(seconds=6 * turn))
        put(gate, broken, ENDED)
        await probe.status(broken, NOW + timedelta(seconds=36))
    told = [(line["event"], line["event_id"]) for line in lines]
    assert told == [("stream_not_seen", broken.id), ("stream_seen_again", broken.id)]


async def test_a_gate_that_answered_late_is_not_probed_twice_at_the_same_time(gate: Origin, probe: Probe) -> None:
    event = an_event(-2, -1)

    def slowly(_asked: Asked) -> Reply:
        return Reply(200, ENDED.encode(), delay=0.2)

    gate.answer(f"/streams/{event.id}/stream.m3u8", slowly)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(probe.status, event, NOW)
        await anyio.lowlevel.checkpoint()
        tasks.start_soon(probe.status, event, NOW)
    assert len(gate.asked) == 1
    assert probe.cached_status(event, NOW) is Status.RECORDING
