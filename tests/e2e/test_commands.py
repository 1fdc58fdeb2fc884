"""Commands beside a running service: their changes are in force at the gate at once."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.clients.people import Organiser, Viewer
from tests.support.services import forks
from tests.support.services.databases import ON_BOTH_DATABASES
from tests.support.services.stack import StackUnderTest
from tests.support.waiting import PUSHED_WITHIN, eventually

pytestmark = ON_BOTH_DATABASES


@dataclass(frozen=True)
class Playing:
    """A viewer who is playing with their own ticket."""

    viewer: Viewer
    code: str

    @property
    def goes_on(self) -> bool:
        return self.viewer.watch().status_code == 200


@pytest.fixture
def viewers(gate: StackUnderTest, organiser: Organiser, recording: str) -> Iterator[list[Playing]]:
    people = [Playing(Viewer(gate.url), ticket.code) for ticket in organiser.tickets(recording, 2)]
    for person in people:
        assert person.viewer.redeem(person.code).status_code == 200
        assert person.goes_on
    yield people
    for person in people:
        person.viewer.close()


def streamgate(gate: StackUnderTest, *arguments: object) -> str:
    done = forks.streamgate(*arguments, "--home", gate.home)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_ticket_that_a_command_revokes_stops_its_viewer_at_once(gate: StackUnderTest, viewers: list[Playing]) -> None:
    cut_off, other = viewers
    streamgate(gate, "ticket", "revoke", cut_off.code)
    eventually(lambda: not cut_off.goes_on, within=PUSHED_WITHIN)
    assert other.goes_on


def test_the_gate_follows_a_restore_at_once_without_any_restart(
    gate: StackUnderTest, viewers: list[Playing], tmp_path: Path
) -> None:
    before, later = viewers
    streamgate(gate, "ticket", "revoke", before.code)
    streamgate(gate, "backup", tmp_path / "file")
    streamgate(gate, "ticket", "revoke", later.code)
    eventually(lambda: not before.goes_on and not later.goes_on, within=15)
    streamgate(gate, "restore", tmp_path / "file", "--force")
    eventually(lambda: later.goes_on, within=15)
    assert not before.goes_on


def test_a_running_service_passes_the_doctor(gate: StackUnderTest, viewers: list[Playing]) -> None:
    assert all(person.goes_on for person in viewers)

    def edge_is_well() -> bool:
        printed = forks.streamgate("doctor", "--home", gate.home).stdout
        return "The service is up" in printed and "edge local: Every revocation is in force" in printed

    eventually(edge_is_well, within=60, every=3, what="its last receipt has been written")
