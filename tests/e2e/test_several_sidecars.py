"""Several sidecars behind one nginx: one that dies costs no viewer a request, and serves again when it is back.

It costs no connection either: players retry on a new connection if nginx has closed theirs, which would hide failures.
"""

import asyncio
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx2
import pytest

from tests.support.clients.keep_alive import ClosedEarly, KeepAlive
from tests.support.clients.people import Organiser, Viewer
from tests.support.media.streams import make_folder
from tests.support.services.stack import Service, StackUnderTest
from tests.support.waiting import PUSHED_WITHIN, eventually

PLAYERS = 6


@pytest.fixture
def three(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StackUnderTest]:
    with StackUnderTest(tmp_path_factory.mktemp("three"), sidecars=3) as running:
        yield running


@pytest.fixture
def viewer(three: StackUnderTest) -> Iterator[Viewer]:
    organiser, person = Organiser(three.url), Viewer(three.url)
    event_id = organiser.create_event()
    make_folder(three.streams, event_id)
    [ticket] = organiser.tickets(event_id)
    person.redeem(ticket.code).raise_for_status()
    yield person
    person.close()
    organiser.close()


class SteadyLoad:
    """Players that send requests without a pause on persistent connections; `seen` counts the responses."""

    def __init__(self, url: str, viewer: Viewer) -> None:
        self.seen: Counter[object] = Counter()
        self.reopened = 0
        self._url, self._viewer = url, viewer
        self._over = threading.Event()

    def run(self) -> None:
        asyncio.run(self._all())

    async def _all(self) -> None:
        await asyncio.gather(*(self._play() for _ in range(PLAYERS)))

    async def _play(self) -> None:
        path, token = self._viewer.stream.replace("stream.m3u8", "1.ts"), f"Authorization: Bearer {self._viewer.token}"
        async with KeepAlive(self._url) as connection:
            while not self._over.is_set():
                try:
                    self.seen[(await connection.get(path, token)).status] += 1
                except (OSError, EOFError, ClosedEarly) as error:
                    self.seen[repr(error)] += 1
        self.reopened += connection.reopened

    def end(self) -> None:
        self._over.set()

    def more(self, answers: int = 300) -> None:
        """Wait until this many more requests were answered."""
        wanted = self.seen.total() + answers
        eventually(lambda: self.seen.total() >= wanted, within=20, what=f"{answers} more answers")


@contextmanager
def load(url: str, viewer: Viewer) -> Iterator[SteadyLoad]:
    running = SteadyLoad(url, viewer)
    thread = threading.Thread(target=running.run)
    thread.start()
    try:
        yield running
    finally:
        running.end()
        thread.join()
    assert running.reopened == 0, "nginx has closed players' connections; asking once more hides what that costs"


def _let_it_be(_sidecar: Service, _gate: StackUnderTest) -> None:
    pass


def _forget_its_state(sidecar: Service, gate: StackUnderTest) -> None:
    (gate.home / "state" / f"{sidecar.spec.name}.json").unlink()


@pytest.mark.parametrize("before_the_restart", [_let_it_be, _forget_its_state])
def test_a_sidecar_that_is_killed_under_load_and_restarted_costs_no_viewer_a_request(
    three: StackUnderTest, viewer: Viewer, before_the_restart: Callable[[Service, StackUnderTest], None]
) -> None:
    with load(three.url, viewer) as players:
        players.more()
        for sidecar in three.sidecars[:2]:
            sidecar.kill()
            players.more()
            before_the_restart(sidecar, three)
            sidecar.start()
            players.more()
            sidecar.wait_ready()
            players.more()
    assert set(players.seen) == {200}


def test_a_sidecar_that_hangs_costs_no_viewer_a_request(three: StackUnderTest, viewer: Viewer) -> None:
    with load(three.url, viewer) as players:
        players.more()
        three.sidecars[1].freeze()
        try:
            players.more(30)
        finally:
            three.sidecars[1].thaw()
        players.more()
    assert set(players.seen) == {200}


def test_without_the_control_plane_a_sidecar_without_state_costs_no_viewer_a_request(
    three: StackUnderTest, viewer: Viewer
) -> None:
    newcomer = three.sidecars[0]
    with load(three.url, viewer) as players:
        players.more()
        three.control_plane.kill()
        newcomer.kill()
        _forget_its_state(newcomer, three)
        lost = newcomer.printed().count("feed_lost")
        newcomer.start()
        eventually(lambda: newcomer.printed().count("feed_lost") > lost, what="the newcomer has tried")
        players.more(1000)
        health = {httpx2.get(f"{three.url}/health", timeout=30).status_code for _ in range(12)}
    assert set(players.seen) == {200}
    assert health == {200}, "an edge with sidecars that are ready is ready"


def test_a_restarted_sidecar_never_allows_tickets_revoked_during_its_downtime(
    three: StackUnderTest, viewer: Viewer
) -> None:
    sidecar = three.sidecars[0]
    event_id = viewer.stream.split("/")[2]
    sidecar.kill()
    organiser = Organiser(three.url)
    organiser.deactivate(event_id)
    organiser.close()
    eventually(lambda: [viewer.watch("1.ts").status_code for _ in range(6)] == [403] * 6, within=PUSHED_WITHIN)
    with load(three.url, viewer) as players:
        players.more()
        sidecar.start()
        sidecar.wait_ready()
        players.more(1000)
    assert set(players.seen) == {403}


def test_all_sidecars_dead_means_503_and_one_that_is_back_serves_within_two_seconds(
    three: StackUnderTest, viewer: Viewer
) -> None:
    assert viewer.watch("1.ts").status_code == 200
    for sidecar in three.sidecars:
        sidecar.kill()
    for name in ("1.ts", "stream.m3u8", "nothing.ts"):
        assert viewer.watch(name).status_code == 503
    three.sidecars[1].start()
    three.sidecars[1].wait_ready()
    eventually(lambda: viewer.watch("1.ts").status_code == 200, within=PUSHED_WITHIN)
    assert [viewer.watch("1.ts").status_code for _ in range(20)] == [200] * 20
