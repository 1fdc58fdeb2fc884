"""Two control planes on one PostgreSQL behind one nginx: both give the same answers, and one may die."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest

from control_plane.ops.processes import HttpProbe
from tests.support.clients.people import IssuedTicket, Organiser, Viewer
from tests.support.media.streams import make_folder
from tests.support.services.postgres import Postgres
from tests.support.services.stack import Service, StackUnderTest
from tests.support.waiting import PUSHED_WITHIN, eventually


class TwoControlPlanes(StackUnderTest):
    """The sidecar follows the first; nginx balances between both, as an operator configures it in the site files."""

    def describe_second(self) -> None:
        first = self.control_plane.spec
        socket = self.described.run_folder / "control-2.sock"
        spec = dataclasses.replace(
            first,
            name="control-2",
            argv=(*first.argv[:-1], str(socket)),
            is_ready=HttpProbe("http://control-plane/internal/health", socket),
        )
        self.second = Service(spec, self.home / "log" / "control-2.log")
        [conf] = [path for path in self.described.run_folder.rglob("*.conf") if "upstream control_plane" in read(path)]
        server = next(line for line in read(conf).splitlines() if "control.sock" in line and "server" in line)
        conf.write_text(read(conf).replace(server, f"{server}\n{server.replace('control.sock', 'control-2.sock')}"))

    @property
    def services(self) -> list[Service]:
        return [self.control_plane, self.second, *self.sidecars, self.nginx]


def read(path: Path) -> str:
    return path.read_text()


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory, postgres: Postgres) -> Iterator[TwoControlPlanes]:
    with postgres.new_database() as url:
        running = TwoControlPlanes(tmp_path_factory.mktemp("two"), settings={"DATABASE_URL": url})
        running.describe_second()
        try:
            running.start()
            yield running
        finally:
            running.stop()


@pytest.fixture
def organiser(gate: TwoControlPlanes) -> Iterator[Organiser]:
    person = Organiser(gate.url)
    yield person
    person.close()


@pytest.fixture
def tickets(gate: TwoControlPlanes, organiser: Organiser) -> list[IssuedTicket]:
    event_id = organiser.create_event()
    make_folder(gate.streams, event_id)
    return organiser.tickets(event_id, 12)


@pytest.fixture
def viewers(gate: TwoControlPlanes, tickets: list[IssuedTicket]) -> Iterator[list[Viewer]]:
    """Watching viewers; about half of them redeemed at each control plane."""
    people = [Viewer(gate.url) for _ in tickets]
    for person, ticket in zip(people, tickets, strict=True):
        person.redeem(ticket.code).raise_for_status()
        assert person.watch("1.ts").status_code == 200
    yield people
    for person in people:
        person.close()


def is_refused(viewer: Viewer) -> bool:
    return viewer.watch("1.ts").status_code == 403


def is_refused_soon(viewer: Viewer, what: str) -> None:
    eventually(lambda: is_refused(viewer), PUSHED_WITHIN, what=what)


def test_a_change_at_one_is_valid_at_the_other_and_reaches_the_gate_at_once(
    organiser: Organiser, tickets: list[IssuedTicket], viewers: list[Viewer]
) -> None:
    for ticket, viewer in zip(tickets[:6], viewers[:6], strict=True):
        organiser.revoke(ticket)
        is_refused_soon(viewer, "the end of a revoked ticket's stream")
        assert viewer.redeem(ticket.code).status_code == 403
    for ticket, leaving, coming in zip(tickets[6:9], viewers[6:9], viewers[:3], strict=True):
        assert coming.redeem(ticket.code).status_code == 409
        assert leaving.post("/api/playback/release").json() == {"released": True}
        is_refused_soon(leaving, "the end of a released session")
        assert coming.redeem(ticket.code).status_code == 200
        assert coming.watch("1.ts").status_code == 200
    for viewer in viewers[9:]:
        assert {viewer.post("/api/playback/heartbeat").status_code for _ in range(4)} == {200}
        assert {viewer.post("/api/playback/refresh").status_code for _ in range(4)} == {200}


def test_killing_one_affects_nobody(
    gate: TwoControlPlanes, organiser: Organiser, tickets: list[IssuedTicket], viewers: list[Viewer]
) -> None:
    gate.second.kill()
    organiser.revoke(tickets[0])
    is_refused_soon(viewers[0], "the end of a revoked ticket's stream")
    assert [viewer.post("/api/playback/heartbeat").status_code for viewer in viewers[1:]] == [200] * 11
    gate.second.start()
    gate.second.wait_ready()

    gate.control_plane.kill()
    assert [viewer.watch("1.ts").status_code for viewer in viewers[1:]] == [200] * 11
    organiser.revoke(tickets[1])
    [fresh] = organiser.tickets(organiser.create_event())
    assert viewers[0].redeem(fresh.code).status_code == 200
    gate.control_plane.start()
    gate.control_plane.wait_ready()
    eventually(lambda: is_refused(viewers[1]), within=20, what="the sidecar hears what it has missed")
    organiser.revoke(tickets[2])
    is_refused_soon(viewers[2], "the end of a revoked ticket's stream")
