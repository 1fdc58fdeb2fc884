"""Processes that die, hang or are unreachable: the gate fails closed and recovers at once; playback continues."""

import time
from collections.abc import Iterator

import pytest

from tests.support.clients.people import Organiser, Viewer
from tests.support.data.tokens import Minter
from tests.support.media.streams import make_folder
from tests.support.services.databases import running_stack
from tests.support.services.stack import StackUnderTest
from tests.support.waiting import PUSHED_WITHIN, eventually, stays


@pytest.fixture(params=["sqlite", "postgresql"])
def own_gate(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StackUnderTest]:
    """A stack for one test only, which kills its processes."""
    with running_stack(request, tmp_path_factory.mktemp("hurt")) as running:
        yield running


@pytest.fixture
def own_organiser(own_gate: StackUnderTest) -> Iterator[Organiser]:
    person = Organiser(own_gate.url)
    yield person
    person.close()


@pytest.fixture
def viewer(own_gate: StackUnderTest, own_organiser: Organiser) -> Iterator[Viewer]:
    event_id = own_organiser.create_event()
    make_folder(own_gate.streams, event_id)
    person = Viewer(own_gate.url)
    [ticket] = own_organiser.tickets(event_id)
    person.redeem(ticket.code).raise_for_status()
    assert person.watch("1.ts").status_code == 200
    yield person
    person.close()


def test_a_killed_sidecar_means_503_never_a_segment_until_it_is_back(own_gate: StackUnderTest, viewer: Viewer) -> None:
    [sidecar] = own_gate.sidecars
    sidecar.kill()
    for name in ("1.ts", "stream.m3u8", "nothing.ts"):
        answer = viewer.watch(name)
        assert (answer.status_code, answer.json()) == (503, {"error": "Authorization unavailable"})
        assert answer.headers["retry-after"] == "1"
        assert answer.headers["cache-control"] == "no-store"
    sidecar.start()
    sidecar.wait_ready()
    assert viewer.watch("1.ts").status_code == 200


def test_a_hung_sidecar_means_503_after_a_second(own_gate: StackUnderTest, viewer: Viewer) -> None:
    [sidecar] = own_gate.sidecars
    sidecar.freeze()
    began = time.monotonic()
    answer = viewer.watch("1.ts")
    took = time.monotonic() - began
    sidecar.thaw()
    assert answer.status_code == 503
    assert took < 10  # without the timeout it would last until the sidecar is thawed
    eventually(lambda: viewer.watch("1.ts").status_code == 200, within=PUSHED_WITHIN)


def test_without_the_control_plane_streams_keep_playing_and_the_api_reports_it(
    own_gate: StackUnderTest, viewer: Viewer
) -> None:
    own_gate.control_plane.kill()
    stays(lambda: viewer.watch("1.ts").status_code == 200, during=3, what="playing")
    answer = viewer.post("/api/playback/heartbeat")
    assert (answer.status_code, answer.json()["reason"]) == (503, "unavailable")
    eventually(lambda: viewer.http.get("/health").json()["controlPlane"] == "unreachable")
    own_gate.control_plane.start()
    own_gate.control_plane.wait_ready()
    assert viewer.post("/api/playback/heartbeat").json()["ok"] is True
    assert viewer.post("/api/playback/refresh").status_code == 200
    eventually(lambda: viewer.http.get("/health").json()["controlPlane"] == "ok", within=30)


def test_without_the_control_plane_a_restarted_sidecar_serves_from_its_state_file(
    own_gate: StackUnderTest, own_organiser: Organiser, viewer: Viewer
) -> None:
    [sidecar] = own_gate.sidecars
    event_id = own_organiser.create_event()
    folder = make_folder(own_gate.streams, event_id)
    [ticket] = own_organiser.tickets(event_id)
    own_organiser.revoke(ticket)
    state = own_gate.home / "state" / "sidecar-1.json"
    eventually(lambda: state.exists() and ticket.code in state.read_text(), what="it stands in the state file")
    own_gate.control_plane.kill()
    sidecar.kill()
    sidecar.start()
    eventually(lambda: viewer.watch("1.ts").status_code == 200, within=30)
    cut = Minter(own_gate.home).token(event_id, sub=ticket.code)
    answer = viewer.http.get(f"{folder.url}/1.ts", headers={"Authorization": f"Bearer {cut}"})
    assert answer.status_code == 403


def test_without_control_plane_and_state_file_a_sidecar_refuses_with_503(
    own_gate: StackUnderTest, viewer: Viewer
) -> None:
    [sidecar] = own_gate.sidecars
    own_gate.control_plane.kill()
    sidecar.kill()
    (own_gate.home / "state" / "sidecar-1.json").unlink()
    sidecar.start()
    eventually(lambda: "feed_lost" in sidecar.printed(), what="the sidecar has tried")
    assert viewer.watch("1.ts").status_code == 503
    assert viewer.http.get("/health").status_code == 503
    own_gate.control_plane.start()
    eventually(lambda: viewer.watch("1.ts").status_code == 200, within=30)


def test_a_revocation_made_during_the_sidecars_downtime_is_in_force_when_it_is_back(
    own_gate: StackUnderTest, own_organiser: Organiser, viewer: Viewer
) -> None:
    [sidecar] = own_gate.sidecars
    event_id = viewer.stream.split("/")[2]
    sidecar.kill()
    own_organiser.deactivate(event_id)
    sidecar.start()
    eventually(lambda: viewer.watch("1.ts").status_code != 503, within=30)
    eventually(lambda: viewer.watch("1.ts").status_code == 403, within=PUSHED_WITHIN)


def test_downtime_of_the_control_plane_does_not_make_a_seat_claimable(own_gate: StackUnderTest, viewer: Viewer) -> None:
    own_gate.control_plane.kill()
    own_gate.control_plane.start(SESSION_TIMEOUT_SECONDS="5")
    own_gate.control_plane.wait_ready()
    assert viewer.post("/api/playback/heartbeat").json()["ok"] is True
