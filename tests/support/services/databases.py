"""A whole StreamGate on either database. E2e modules run on both with `pytestmark = ON_BOTH_DATABASES`."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.services.stack import StackUnderTest

ON_BOTH_DATABASES = pytest.mark.parametrize("gate", ["sqlite", "postgresql"], indirect=True, scope="module")


@contextmanager
def running_stack(request: pytest.FixtureRequest, home: Path, **settings: str) -> Iterator[StackUnderTest]:
    """Run one on the database that the fixture's parameter names; on SQLite without a parameter."""
    with _database(request) as database, StackUnderTest(home, settings=database | settings) as running:
        yield running


@contextmanager
def _database(request: pytest.FixtureRequest) -> Iterator[dict[str, str]]:
    if getattr(request, "param", "sqlite") == "sqlite":
        yield {}
        return
    with request.getfixturevalue("postgres").new_database() as url:
        yield {"DATABASE_URL": url}
