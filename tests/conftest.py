"""Async tests run on asyncio, as the services do, unless a module asks for a clock of its own."""

import pytest


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"
