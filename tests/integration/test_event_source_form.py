"""The form's field for an event's own origin, in a browser without JavaScript."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from control_plane.app import create_app
from tests.support.clients.api import PASSWORD, make_settings
from tests.support.services.sqlite_file import new_database

EVENT = {"title": "Opening night", "startsAt": "2100-05-01T19:00", "endsAt": "2100-05-01T22:00", "maxDevices": "1"}
EVENT |= {"accessWindowHours": "24", "sessionPolicy": "refuse"}


@contextmanager
def admin_where(folder: Path, allowed_hosts: str) -> Iterator[TestClient]:
    settings = make_settings(new_database(folder), upstream_allowed_hosts=allowed_hosts)
    with TestClient(create_app(settings), base_url="https://tickets.example", follow_redirects=False) as client:
        signed_in = client.post("/admin/login", data={"username": "admin", "password": PASSWORD, "next": "/admin"})
        assert signed_in.status_code == 303
        yield client


@pytest.fixture
def admin(tmp_path: Path) -> Iterator[TestClient]:
    with admin_where(tmp_path, "media.example") as client:
        yield client


def test_the_form_names_the_hosts_and_the_events_page_shows_the_source(admin: TestClient) -> None:
    form = admin.get("/admin/events/new").text
    assert 'name="streamUrl"' in form
    assert "media.example" in form
    made = admin.post("/admin/events/new", data=EVENT | {"streamUrl": " https://Media.example/live "})
    assert made.status_code == 303, made.text
    page = admin.get(made.headers["location"]).text
    assert "Stream source" in page
    assert "https://media.example/live/" in page


def test_an_event_made_without_a_source_shows_none(admin: TestClient) -> None:
    made = admin.post("/admin/events/new", data=EVENT | {"streamUrl": ""})
    assert made.status_code == 303, made.text
    assert "Stream source" not in admin.get(made.headers["location"]).text


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        ("https://elsewhere.example/live/", "Streams cannot be fetched from https://elsewhere.example"),
        ("live", "Please enter an address like"),
        ("https://media.example/" + "x" * 500, "At most 500 characters"),
    ],
)
def test_an_invalid_source_is_reported_at_its_field_with_the_input(admin: TestClient, typed: str, says: str) -> None:
    answer = admin.post("/admin/events/new", data=EVENT | {"streamUrl": typed})
    assert answer.status_code == 422
    assert says in answer.text
    assert f'value="{typed}"' in answer.text
    assert 'aria-describedby="streamUrl-hint streamUrl-error"' in answer.text
    assert "No events yet" in admin.get("/admin").text


def test_without_allowed_hosts_the_form_has_no_source_field(tmp_path: Path) -> None:
    with admin_where(tmp_path, "") as admin:
        assert "streamUrl" not in admin.get("/admin/events/new").text
        answer = admin.post("/admin/events/new", data=EVENT | {"streamUrl": "https://media.example/"})
        assert (answer.status_code, "Streams cannot be fetched from" in answer.text) == (422, True)


def test_an_origins_credentials_are_entered_once_and_never_shown_again(admin: TestClient) -> None:
    made = admin.post("/admin/events/new", data=EVENT | {"streamUrl": "https://media.example/live"})
    address = made.headers["location"].partition("?")[0]
    assert "Header: <strong>not set</strong>" in admin.get(address).text
    typed = {"header": "Authorization: Bearer hunter2", "query": "signature=hunter2"}
    saved = admin.post(f"{address}/origin-credentials", data=typed)
    assert saved.status_code == 303, saved.text
    page = admin.get(saved.headers["location"]).text
    assert "The credentials for the origin were saved." in page
    assert "Header: <strong>set</strong>. Query: <strong>set</strong>" in page
    refused = admin.post(f"{address}/origin-credentials", data={"header": "hunter2", "query": "a=b"})
    assert (refused.status_code, "This must be one header like" in refused.text) == (422, True)
    assert "Header: <strong>set</strong>" in refused.text, "nothing was lost"
    for text in (page, refused.text, admin.get(address).text):
        assert "hunter2" not in text
    admin.post(f"{address}/origin-credentials", data={"header": "", "query": ""})
    assert "Header: <strong>not set</strong>. Query: <strong>not set</strong>" in admin.get(address).text


def test_an_event_without_a_source_of_its_own_has_no_such_form(admin: TestClient) -> None:
    made = admin.post("/admin/events/new", data=EVENT | {"streamUrl": ""})
    assert "Credentials for the origin" not in admin.get(made.headers["location"]).text
