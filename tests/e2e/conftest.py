"""A whole StreamGate for the tests of a module, with an organiser who is signed in."""

from collections.abc import Iterator

import pytest

from tests.support.people import Organiser
from tests.support.stack import StackUnderTest


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StackUnderTest]:
    running = StackUnderTest(tmp_path_factory.mktemp("gate"))
    try:
        running.start()
        yield running
    finally:
        running.stop()


@pytest.fixture(scope="module")
def organiser(gate: StackUnderTest) -> Iterator[Organiser]:
    person = Organiser(gate.url)
    yield person
    person.close()
