"""The pages of events."""

import json
import re
from datetime import UTC, datetime

import anyio
import pytest
from starlette.testclient import TestClient

from control_plane.db.database import Database
from control_plane.tables import EventTrouble
from tests.support.browsers.console import EVENT, NOWHERE, answer_yes, create, generate, question, validate


def test_the_empty_list_says_what_to_do_next(admin: TestClient) -> None:
    page = admin.get("/admin").text
    assert "No events yet" in page
    assert 'href="/admin/events/new"' in page


def test_a_created_event_shows_its_facts_and_its_stream_folder(admin: TestClient) -> None:
    answer = admin.post("/admin/events/new", data=EVENT)
    page = admin.get(answer.headers["location"]).text
    event = answer.headers["location"].partition("?")[0]
    assert "The event was created." in page
    assert f"/srv/streams/{event.rpartition('/')[2]}/" in page
    assert "1 May 2100, 19:00 UTC" in page
    assert "2 May 2100, 22:00 UTC" in page  # the tickets' end
    assert "No tickets yet." in page
    overview = admin.get("/admin").text
    assert event in overview
    assert "Upcoming" in overview


def test_times_are_in_the_zone_that_the_browser_names(admin: TestClient) -> None:
    event = create(admin, startsAtOffset="+02:00", endsAtOffset="-03:30")
    page = admin.get(event).text
    assert "1 May 2100, 17:00 UTC" in page
    assert "2 May 2100, 01:30 UTC" in page


def test_invalid_input_is_named_and_kept_in_the_form(admin: TestClient) -> None:
    typed = {
        "title": " ",
        "description": "Kept & <b>safe</b>",
        "posterUrl": "ftp://x",
        "maxDevices": "11",
        "endsAt": "",
    }
    answer = admin.post("/admin/events/new", data=EVENT | typed)
    assert answer.status_code == 422
    errors = dict(re.findall(r'class="error" id="(\w+)-error">.*?</svg>([^<]+)</p>', answer.text))
    assert errors == {
        "title": "Please fill this in.",
        "posterUrl": "Please enter an address that starts with https://.",
        "maxDevices": "The largest possible value is 10.",
        "endsAt": "Please enter a date and a time.",
    }
    assert 'aria-describedby="maxDevices-hint maxDevices-error" aria-invalid="true"' in answer.text
    assert "Kept &amp; &lt;b&gt;safe&lt;/b&gt;" in answer.text
    assert 'value="ftp://x"' in answer.text
    assert 'value="2100-05-01T19:00"' in answer.text
    assert "No events yet" in admin.get("/admin").text


def test_an_event_must_end_after_its_start(admin: TestClient) -> None:
    answer = admin.post("/admin/events/new", data=EVENT | {"endsAt": EVENT["startsAt"]})
    assert answer.status_code == 422
    assert "The end must be later than the start" in answer.text


@pytest.mark.parametrize("year", ["0001", "9999"])
def test_a_year_out_of_range_is_named(admin: TestClient, year: str) -> None:
    answer = admin.post("/admin/events/new", data=EVENT | {"startsAt": f"{year}-01-01T00:00"})
    assert answer.status_code == 422
    assert "Please check the year." in answer.text


def test_an_empty_form_does_not_crash(admin: TestClient) -> None:
    assert admin.post("/admin/events/new").status_code == 422
    assert admin.post("/admin/events/new", json=EVENT).status_code == 415
    assert admin.post("/admin/events/new", files={"title": b"a file"}).status_code == 415


def test_user_input_is_never_rendered_as_markup(admin: TestClient) -> None:
    script = "<script>alert(1)</script>"
    event = create(admin, title=script, description=script)
    generate(admin, event, 1, script)
    for path in ("/admin", event, f'{event}?search="{script}', question(admin.get(event).text, "revoke")):
        page = admin.get(path).text
        assert "&lt;script&gt;" in page
        assert "<script>" not in page


def test_an_event_is_deactivated_after_a_confirmation_and_reactivated(admin: TestClient, event: str) -> None:
    code = generate(admin, event, 1)[0]
    answer = answer_yes(admin, f"{event}/deactivate")
    assert answer.headers["location"] == f"{event}?done=deactivated"
    assert "Deactivated" in admin.get("/admin").text
    assert validate(admin, code).json()["reason"] == "event"
    answer = answer_yes(admin, f"{event}/reactivate")
    assert answer.headers["location"] == f"{event}?done=reactivated"
    assert validate(admin, code).status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        f"/admin/events/{NOWHERE}",
        f"/admin/events/{NOWHERE}/deactivate",
        f"/admin/tickets/{NOWHERE}/revoke",
        "/admin/events/not-an-id",
        "/admin/nonsense",
    ],
)
def test_a_missing_object_has_its_own_page(admin: TestClient, path: str) -> None:
    answer = admin.get(path)
    assert answer.status_code == 404
    assert "There is nothing here" in answer.text
    assert "Sign out" in answer.text


def test_trouble_with_the_stream_is_shown_with_what_is_wrong_and_since_when(
    admin: TestClient, event: str, database_url: str
) -> None:
    assert "in trouble" not in admin.get(event).text
    anyio.run(in_trouble, database_url, event.rpartition("/")[2])
    page = admin.get(event).text
    assert re.search(r"The stream has been in trouble since <time[^>]*>1 May 2100, 17:30 UTC</time>", page)
    assert "Fault(" not in page
    assert "<code>low/&lt;7&gt;.ts</code>: It is empty." in page
    assert "Trouble" in admin.get("/admin").text


async def in_trouble(database_url: str, event_id: str) -> None:
    database, at = Database(database_url), datetime(2100, 5, 1, 17, 30, tzinfo=UTC)
    faults = json.dumps([["low/<7>.ts", "error", "empty", "It is empty."]])
    async with database.write() as db:
        db.add(EventTrouble(event_id=event_id, since=at, seen_at=at, faults=faults))
    await database.close()


def test_a_stream_is_tested_from_its_event(admin: TestClient, event: str) -> None:
    assert f'href="{event}/stream"' in admin.get(event).text
    page = admin.get(f"{event}/stream")
    assert page.status_code == 200
    assert "HLS_SERVER_INTERNAL_URL is empty" in page.text
    assert admin.get(f"{NOWHERE}/stream").status_code == 404
