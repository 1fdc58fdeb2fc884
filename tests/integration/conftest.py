"""A control plane for each test, a signed-in admin, and two devices: once on SQLite, once on PostgreSQL."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from control_plane.streams.probe import Probe
from tests.support.clients.api import Admin, ControlPlane, ViewerClient, make_settings, running
from tests.support.media.origin import Origin
from tests.support.media.probing import reader_of
from tests.support.services.sqlite_file import new_database


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return new_database(tmp_path)


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """A migrated database; use `sqlite_url` or `postgres_url` for tests of one of them."""
    url: str = request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "postgres_url")
    return url


@pytest.fixture
async def plane(database_url: str) -> AsyncIterator[ControlPlane]:
    async with running(make_settings(database_url)) as control_plane:
        yield control_plane


@pytest.fixture
async def admin(plane: ControlPlane) -> AsyncIterator[Admin]:
    async with plane.browser("198.51.100.1") as http:
        person = Admin(http)
        assert (await person.sign_in()).status_code == 200
        yield person


@pytest.fixture
async def phone(plane: ControlPlane) -> AsyncIterator[ViewerClient]:
    async with plane.browser("192.0.2.10") as http:
        yield ViewerClient(http)


@pytest.fixture
async def laptop(plane: ControlPlane) -> AsyncIterator[ViewerClient]:
    async with plane.browser("192.0.2.20") as http:
        yield ViewerClient(http)


@pytest.fixture
def gate() -> Iterator[Origin]:
    """A server that answers a probe as the gate would."""
    with Origin() as running:
        yield running


@pytest.fixture
async def probe(gate: Origin) -> AsyncIterator[Probe]:
    looking = Probe(reader_of(gate), wait_seconds=20)  # the machine may be busy
    yield looking
    await looking.close()
