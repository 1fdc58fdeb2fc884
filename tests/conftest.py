"""Run async tests on asyncio, as the services do, unless a module needs a mock clock."""

from collections.abc import Iterator
from functools import cache

import httpcore2
import hypothesis
import pytest

from tests.support.services.postgres import Postgres, running_postgres
from tests.support.services.stack import Service
from tests.support.services.statements import compile_once
from tests.support.variants import LONG

# The duration of an example depends more on the machine than on the code.
hypothesis.settings.register_profile("patient", deadline=None)
hypothesis.settings.load_profile("patient")

# Each HTTP client loads all certificates of the machine (40 ms of processor time), and tests create thousands.
httpcore2.default_ssl_context = cache(httpcore2.default_ssl_context)

Service.forks = True
compile_once()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--one-database", action="store_true", help="leave out what needs PostgreSQL")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Run what does not depend on the database on SQLite only, unless LONG=1."""
    is_left_out = _needs_postgresql if config.getoption("--one-database") else _is_a_twin
    left_out = [item for item in items if is_left_out(item)]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if not is_left_out(item)]


def _needs_postgresql(item: pytest.Item) -> bool:
    return "postgresql" in _parameters(item).values() or "postgres" in getattr(item, "fixturenames", ())


def _is_a_twin(item: pytest.Item) -> bool:
    on_postgresql = _parameters(item).get("database_url") == "postgresql"
    return on_postgresql and not LONG and not item.get_closest_marker("both_databases")


def _parameters(item: pytest.Item) -> dict[str, object]:
    return getattr(getattr(item, "callspec", None), "params", {})


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """One server for all tests that need one; each test has its own database."""
    with running_postgres() as server:
        server.prepare()
        yield server


@pytest.fixture
def postgres_url(postgres: Postgres) -> Iterator[str]:
    with postgres.new_database() as url:
        yield url
