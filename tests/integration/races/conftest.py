"""Real servers for a module: one control plane on SQLite, or two that share a PostgreSQL. None may log complaints."""

from collections.abc import AsyncIterator, Iterator

import httpx2
import pytest

from control_plane.db.database import Database
from tests.support.clients.api import Admin
from tests.support.clients.races import crowd, organisers
from tests.support.services.server import ControlPlaneProcess, control_planes
from tests.support.services.sqlite_file import new_database


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def shared_url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    if request.param == "sqlite":
        yield new_database(tmp_path_factory.mktemp("shared"))
        return
    with request.getfixturevalue("postgres").new_database() as url:
        yield f"{url}{'&' if '?' in url else '?'}options=-c%20lock_timeout%3D60s"  # for many clients on a busy machine


@pytest.fixture(scope="module")
def processes(shared_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[ControlPlaneProcess]]:
    with control_planes(tmp_path_factory.mktemp("planes"), shared_url) as running:
        yield running


@pytest.fixture
def planes(processes: list[ControlPlaneProcess]) -> Iterator[list[ControlPlaneProcess]]:
    yield processes
    assert [line for process in processes for line in process.complaints()] == []


@pytest.fixture
async def admins(planes: list[ControlPlaneProcess]) -> AsyncIterator[list[Admin]]:
    async with organisers(planes) as people:
        yield people


@pytest.fixture
async def devices(
    request: pytest.FixtureRequest, planes: list[ControlPlaneProcess]
) -> AsyncIterator[list[httpx2.AsyncClient]]:
    """As many devices as the module requires."""
    async with crowd(planes, request.module.DEVICES) as people:
        yield people


@pytest.fixture
async def database(shared_url: str) -> AsyncIterator[Database]:
    database = Database(shared_url)
    yield database
    await database.close()
