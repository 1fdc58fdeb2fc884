"""The pages of tickets and their codes."""

import re

import pytest
from starlette.testclient import TestClient

from control_plane.tickets import ticket_search
from tests.support.browsers.console import answer_yes, create, generate, question, ticket_rows, validate


def test_generated_codes_are_shown_with_their_links_and_not_in_urls(admin: TestClient, event: str) -> None:
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
def test_a_missing_batch_redirects_to_the_event(admin: TestClient, event: str, batch: str) -> None:
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
def test_an_invalid_number_of_codes_is_named_and_kept(admin: TestClient, event: str, count: str, message: str) -> None:
    answer = admin.post(f"{event}/codes", data={"count": count, "label": "Kept"})
    assert answer.status_code == 422
    assert message in answer.text
    assert f'type="number" value="{count}"' in answer.text
    assert 'value="Kept"' in answer.text
    assert ticket_rows(admin.get(event).text) == []


def test_a_capped_total_is_not_shown_as_exact(admin: TestClient, event: str, monkeypatch: pytest.MonkeyPatch) -> None:
    generate(admin, event, 30, "Guest")
    assert ">30 tickets found<" in admin.get(f"{event}?search=guest").text
    monkeypatch.setattr(ticket_search, "MOST", 20)
    page = admin.get(f"{event}?search=guest").text
    assert ">20+ tickets found. More tickets may match than are shown and counted here." in page
    assert ">30 tickets<" in admin.get(event).text
    none = admin.get(f"{event}?search=~~").text
    assert "No ticket matches." in none
    assert "More tickets may match" in none


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
def test_invalid_queries_cause_no_error(admin: TestClient, event: str, query: str) -> None:
    generate(admin, event, 1)
    assert admin.get(f"{event}?{query}").status_code == 200
    assert admin.get(f"/admin?{query}").status_code == 200


def test_a_ticket_is_revoked_after_a_confirmation_and_restored(admin: TestClient, event: str) -> None:
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
    assert ticket_rows(page)[0][1] == "Redeemed"


def test_a_refusal_is_shown_on_the_page(admin: TestClient) -> None:
    event = create(admin, startsAt="2020-01-01T00:00", endsAt="2020-01-02T00:00")
    generate(admin, event, 1)
    page = admin.get(event).text
    assert ticket_rows(page)[0][1] == "Expired"
    ticket = admin.get("/api/admin/tokens").json()["data"][0]["id"]
    admin.patch(f"/api/admin/tokens/{ticket}/revoke")
    answer = admin.post(f"/admin/tickets/{ticket}/unrevoke", data={"back": "https://evil.example"})
    assert answer.status_code == 409
    assert "This ticket has expired; un-revoking it would have no effect." in answer.text
    assert f'class="button" href="{event}">Back</a>' in answer.text
