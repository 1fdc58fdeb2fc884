"""The admin pages, as a browser without JavaScript meets them: real application, real database."""

import re
from collections.abc import Iterator

import pytest
from httpx2 import Response
from starlette.testclient import TestClient

from control_plane.app import create_app
from control_plane.settings import Settings
from tests.support.api import PASSWORD, PASSWORD_HASH

NOWHERE = "00000000-0000-4000-8000-000000000000"
EVENT = {
    "title": "Opening night",
    "description": "",
    "posterUrl": "",
    "startsAt": "2100-05-01T19:00",
    "endsAt": "2100-05-01T22:00",
    "accessWindowHours": "24",
    "sessionPolicy": "refuse",
    "maxDevices": "2",
}


@pytest.fixture
def visitor(database_url: str) -> Iterator[TestClient]:
    settings = Settings.model_validate(
        {
            "playback_signing_secret": "s" * 64,
            "internal_api_key": "k" * 64,
            "admin_password_hash": PASSWORD_HASH,
            "database_url": database_url,
            "stream_root": "/srv/streams",
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


def sign_in(client: TestClient, password: str = PASSWORD, onward: str = "/admin") -> Response:
    return client.post("/admin/login", data={"username": "admin", "password": password, "next": onward})


def create(admin: TestClient, **changes: str) -> str:
    answer = admin.post("/admin/events/new", data=EVENT | changes)
    assert answer.status_code == 303, answer.text
    return answer.headers["location"].partition("?")[0]


def generate(admin: TestClient, event: str, count: int, label: str = "") -> list[str]:
    answer = admin.post(f"{event}/codes", data={"count": str(count), "label": label})
    assert answer.status_code == 303, answer.text
    page = admin.get(answer.headers["location"]).text
    return re.findall(r'<code id="code-\d+" class="code">(\w+)</code>', page)


def ticket_rows(page: str) -> list[tuple[str, str]]:
    """Return code and status of each ticket that the page lists."""
    return re.findall(r'class="mono">(\w{12})</th>.*?class="badge \w+">(\w+)<', page, re.DOTALL)


def question(page: str, word: str) -> str:
    """Return the address of the first link that asks for a ticket to be revoked or un-revoked."""
    found = re.search(rf'href="(/admin/tickets/[0-9a-f-]+/{word}\?back=[^"]*)"', page)
    assert found, page
    return found[1]


def answer_yes(admin: TestClient, address: str) -> Response:
    """Submit the form that the confirming page shows."""
    page = admin.get(address)
    assert page.status_code == 200
    back = re.search(r'name="back" value="([^"]*)"', page.text)
    assert back
    return admin.post(address, data={"back": back[1].replace("&amp;", "&")})


@pytest.mark.parametrize("path", ["/admin", "/admin/events/new", f"/admin/events/{NOWHERE}", "/admin/nonsense"])
def test_who_is_signed_out_is_led_to_sign_in(visitor: TestClient, path: str) -> None:
    answer = visitor.get(path)
    assert answer.status_code == 303
    assert answer.headers["location"] == f"/admin/login?next={path}"


def test_signing_in_leads_back_to_where_one_was(visitor: TestClient) -> None:
    led = visitor.get("/admin/events/new?x=1")
    page = visitor.get(led.headers["location"]).text
    assert 'name="next" value="/admin/events/new?x=1"' in page
    answer = sign_in(visitor, onward="/admin/events/new?x=1")
    assert answer.headers["location"] == "/admin/events/new?x=1"
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "Secure" in cookie
    assert "samesite=strict" in cookie.lower()


@pytest.mark.parametrize(
    "onward", ["https://evil.example/", "//evil.example", "/admin\\@evil.example", "/administrator", "/", ""]
)
def test_signing_in_never_leads_to_another_site(visitor: TestClient, onward: str) -> None:
    assert sign_in(visitor, onward=onward).headers["location"] == "/admin"


@pytest.mark.parametrize(("username", "password"), [("admin", "wrong"), ("nobody", PASSWORD), ("admin", ""), ("", "")])
def test_every_failed_sign_in_says_the_same(visitor: TestClient, username: str, password: str) -> None:
    answer = visitor.post("/admin/login", data={"username": username, "password": password})
    assert answer.status_code == 401
    assert "User name, password or authentication code is wrong." in answer.text
    assert "set-cookie" not in answer.headers


def test_too_many_sign_ins_have_to_wait(visitor: TestClient) -> None:
    answers = [sign_in(visitor, "wrong") for _ in range(11)]
    assert [answer.status_code for answer in answers] == [401] * 10 + [429]
    assert "Too many attempts. Please wait a moment and try again." in answers[-1].text
    assert int(answers[-1].headers["retry-after"]) > 0


def test_signing_out_ends_the_session(admin: TestClient) -> None:
    secret = admin.cookies["sg_admin"]
    answer = admin.post("/admin/logout")
    assert (answer.status_code, answer.headers["location"]) == (303, "/admin/login?done=signed-out")
    assert "You are signed out." in admin.get(answer.headers["location"]).text
    admin.cookies.set("sg_admin", secret)
    assert admin.get("/admin").status_code == 303


def test_a_link_cannot_sign_anybody_out(admin: TestClient) -> None:
    assert admin.get("/admin/logout").status_code == 404
    assert admin.get("/admin").status_code == 200


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


def test_times_count_in_the_zone_that_the_browser_names(admin: TestClient) -> None:
    event = create(admin, startsAtOffset="+02:00", endsAtOffset="-03:30")
    page = admin.get(event).text
    assert "1 May 2100, 17:00 UTC" in page
    assert "2 May 2100, 01:30 UTC" in page


def test_bad_input_is_named_and_what_was_typed_is_kept(admin: TestClient) -> None:
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
        "posterUrl": "Please enter an address that starts with http:// or https://.",
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
def test_a_year_out_of_this_world_is_named(admin: TestClient, year: str) -> None:
    answer = admin.post("/admin/events/new", data=EVENT | {"startsAt": f"{year}-01-01T00:00"})
    assert answer.status_code == 422
    assert "Please check the year." in answer.text


def test_an_empty_form_is_no_crash(admin: TestClient) -> None:
    assert admin.post("/admin/events/new").status_code == 422
    assert admin.post("/admin/events/new", json=EVENT).status_code == 422
    assert admin.post("/admin/events/new", files={"title": b"a file"}).status_code == 422


def test_what_people_typed_is_never_markup(admin: TestClient) -> None:
    script = "<script>alert(1)</script>"
    event = create(admin, title=script, description=script)
    generate(admin, event, 1, script)
    for path in ("/admin", event, f'{event}?search="{script}', question(admin.get(event).text, "revoke")):
        page = admin.get(path).text
        assert "&lt;script&gt;" in page
        assert "<script>" not in page


def test_generated_codes_are_shown_with_their_links_and_stay_out_of_addresses(admin: TestClient, event: str) -> None:
    answer = admin.post(f"{event}/codes", data={"count": "3", "label": "Front row"})
    page = admin.get(answer.headers["location"]).text
    codes = re.findall(r'href="/#(\w{12})"', page)
    assert len(codes) == 3
    assert all(f"https://tickets.example/#{code}" in page for code in codes)
    assert not any(code in answer.headers["location"] for code in codes)
    assert "Label: Front row" in page
    assert {code for code, _ in ticket_rows(admin.get(event).text)} == set(codes)


def test_a_batch_shows_its_own_codes_only(admin: TestClient, event: str) -> None:
    first, second = generate(admin, event, 2), generate(admin, event, 3)
    assert (len(first), len(second)) == (2, 3)
    assert not set(first) & set(second)


@pytest.mark.parametrize("batch", ["", "nonsense", "20990101T000000.000000Z"])
def test_a_batch_that_does_not_exist_leads_to_the_event(admin: TestClient, event: str, batch: str) -> None:
    assert admin.get(f"{event}/codes?batch={batch}").headers["location"] == event


@pytest.mark.parametrize(
    ("count", "message"),
    [
        ("0", "The smallest possible value is 1."),
        ("1001", "The largest possible value is 1000."),
        ("many", "Please enter a whole number."),
        ("", "Please enter a whole number."),
    ],
)
def test_a_bad_number_of_codes_is_named_and_kept(admin: TestClient, event: str, count: str, message: str) -> None:
    answer = admin.post(f"{event}/codes", data={"count": count, "label": "Kept"})
    assert answer.status_code == 422
    assert message in answer.text
    assert f'type="number" value="{count}"' in answer.text
    assert 'value="Kept"' in answer.text
    assert ticket_rows(admin.get(event).text) == []


def test_tickets_are_found_by_status_and_by_part_of_code_or_label(admin: TestClient, event: str) -> None:
    code = generate(admin, event, 1, "Front row")[0]
    generate(admin, event, 1, "Balcony")
    assert [row[0] for row in ticket_rows(admin.get(f"{event}?search={code[3:9]}").text)] == [code]
    assert [row[0] for row in ticket_rows(admin.get(f"{event}?search=front").text)] == [code]
    assert len(ticket_rows(admin.get(f"{event}?status=unused").text)) == 2
    assert "No ticket matches." in admin.get(f"{event}?status=revoked").text


def test_tickets_come_fifty_a_page_and_pages_keep_the_filter(admin: TestClient, event: str) -> None:
    codes = generate(admin, event, 51, "A & B")
    first = admin.get(f"{event}?search=A+%26+B").text
    following = re.search(r'rel="next" href="([^"]+)"', first)
    assert following
    second = admin.get(following[1].replace("&amp;", "&")).text
    assert len(ticket_rows(first)) == 50
    assert {code for code, _ in ticket_rows(first) + ticket_rows(second)} == set(codes)


@pytest.mark.parametrize("query", ["page=0", "page=x", "page=99", "status=sold", "done=nonsense"])
def test_odd_queries_are_no_error(admin: TestClient, event: str, query: str) -> None:
    generate(admin, event, 1)
    assert admin.get(f"{event}?{query}").status_code == 200
    assert admin.get(f"/admin?{query}").status_code == 200


def test_a_ticket_is_revoked_after_asking_and_given_back(admin: TestClient, event: str) -> None:
    code = generate(admin, event, 1)[0]
    asked = question(admin.get(f"{event}?status=unused").text, "revoke")
    assert ticket_rows(admin.get(event).text) == [(code, "Unused")]
    assert code not in asked
    answer = answer_yes(admin, asked)
    assert answer.headers["location"] == f"{event}?status=unused&done=revoked"
    assert validate(admin, code).json()["reason"] == "revoked"
    page = admin.get(f"{event}?done=revoked").text
    assert ticket_rows(page) == [(code, "Revoked")]
    assert "The ticket is revoked." in page
    answer = answer_yes(admin, question(page, "unrevoke"))
    assert answer.headers["location"] == f"{event}?done=unrevoked"
    assert ticket_rows(admin.get(event).text) == [(code, "Unused")]


def test_watching_tickets_are_counted(admin: TestClient) -> None:
    event = create(admin, startsAt="2020-01-01T00:00")
    assert validate(admin, generate(admin, event, 1)[0]).status_code == 200
    page = admin.get(event).text
    assert "<dt>Watching now</dt><dd>1</dd>" in page
    assert "On now" in page
    assert ticket_rows(page)[0][1] == "Redeemed"


def test_a_refusal_is_said_on_the_page(admin: TestClient) -> None:
    event = create(admin, startsAt="2020-01-01T00:00", endsAt="2020-01-02T00:00")
    generate(admin, event, 1)
    page = admin.get(event).text
    assert ticket_rows(page)[0][1] == "Expired"
    ticket = admin.get("/api/admin/tokens").json()["data"][0]["id"]
    admin.patch(f"/api/admin/tokens/{ticket}/revoke")
    answer = admin.post(f"/admin/tickets/{ticket}/unrevoke", data={"back": "https://evil.example"})
    assert answer.status_code == 409
    assert "This ticket has expired; there is nothing to give back." in answer.text
    assert f'class="button" href="{event}">Back</a>' in answer.text


def test_an_event_is_deactivated_after_asking_and_reactivated(admin: TestClient, event: str) -> None:
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
def test_what_does_not_exist_has_a_page_of_its_own(admin: TestClient, path: str) -> None:
    answer = admin.get(path)
    assert answer.status_code == 404
    assert "There is nothing here" in answer.text
    assert "Sign out" in answer.text


@pytest.mark.parametrize("headers", [{"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}])
def test_forms_of_other_sites_are_refused(admin: TestClient, event: str, headers: dict[str, str]) -> None:
    answer = admin.post(f"{event}/codes", data={"count": "1"}, headers=headers)
    assert answer.status_code == 403
    assert ticket_rows(admin.get(event).text) == []


@pytest.mark.parametrize("path", ["events/new", f"events/{NOWHERE}/codes", f"tickets/{NOWHERE}/revoke"])
def test_who_is_signed_out_changes_nothing(visitor: TestClient, path: str) -> None:
    answer = visitor.post(f"/admin/{path}", data=EVENT)
    assert (answer.status_code, answer.headers["location"]) == (303, f"/admin/login?next=/admin/{path}")


def test_pages_run_under_the_strict_policy_and_are_not_stored(admin: TestClient, event: str) -> None:
    answer = admin.get(event)
    assert "script-src 'self'; style-src 'self';" in answer.headers["content-security-policy"]
    assert "unsafe" not in answer.headers["content-security-policy"]
    assert answer.headers["cache-control"] == "no-store"
    assert " style=" not in answer.text
    assert " onclick=" not in answer.text


def test_browsers_may_name_the_origin_of_our_own_forms(admin: TestClient) -> None:
    """With `no-referrer` they would send `Origin: null`, which over plain http is all there is to judge by."""
    assert admin.get("/admin").headers["referrer-policy"] == "same-origin"


def validate(client: TestClient, code: str) -> Response:
    return client.post("/api/tokens/validate", json={"code": code})
