"""Modules of e2e tests that run on both databases: `pytestmark = ON_BOTH_DATABASES`."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

ON_BOTH_DATABASES = pytest.mark.parametrize("gate", ["sqlite", "postgresql"], indirect=True, scope="module")


@contextmanager
def database_settings(request: pytest.FixtureRequest) -> Iterator[dict[str, str]]:
    """Give the settings of a home on the database that the fixture's parameter names; SQLite when it has none."""
    if getattr(request, "param", "sqlite") == "sqlite":
        yield {}
        return
    with request.getfixturevalue("postgres").new_database() as url:
        yield {"DATABASE_URL": url}
