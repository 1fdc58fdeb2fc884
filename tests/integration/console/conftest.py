"""A visitor of the console, a signed-in admin, and an event, with the real application and a real database."""

from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from control_plane.app import create_app
from control_plane.settings import Settings
from tests.support.browsers.console import create, sign_in
from tests.support.clients.api import PASSWORD_HASH


@pytest.fixture
def visitor(database_url: str) -> Iterator[TestClient]:
    settings = Settings.model_validate(
        {
            "playback_signing_secret": "s" * 64,
            "internal_api_key": "k" * 64,
            "admin_password_hash": PASSWORD_HASH,
            "database_url": database_url,
            "stream_root": "/srv/streams",
            "hls_server_internal_url": "",
        }
    )
    with TestClient(create_app(settings), base_url="https://tickets.example", follow_redirects=False) as client:
        client.headers["X-Forwarded-Proto"] = "https"
        yield client


@pytest.fixture
def admin(visitor: TestClient) -> TestClient:
    assert sign_in(visitor).status_code == 303
    return visitor


@pytest.fixture
def event(admin: TestClient) -> str:
    return create(admin)
