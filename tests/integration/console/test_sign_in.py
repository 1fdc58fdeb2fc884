"""Signing in and out, and access to the pages."""

import pytest
from starlette.testclient import TestClient

from tests.support.browsers.console import EVENT, NOWHERE, sign_in, ticket_rows
from tests.support.clients.api import PASSWORD


@pytest.mark.parametrize("path", ["/admin", "/admin/events/new", f"/admin/events/{NOWHERE}", "/admin/nonsense"])
def test_a_signed_out_visitor_is_redirected_to_sign_in(visitor: TestClient, path: str) -> None:
    answer = visitor.get(path)
    assert answer.status_code == 303
    assert answer.headers["location"] == f"/admin/login?next={path}"


def test_signing_in_leads_back_to_the_requested_page(visitor: TestClient) -> None:
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
def test_every_failed_sign_in_has_the_same_message(visitor: TestClient, username: str, password: str) -> None:
    answer = visitor.post("/admin/login", data={"username": username, "password": password})
    assert answer.status_code == 401
    assert "The user name, password or authentication code is wrong." in answer.text
    assert "set-cookie" not in answer.headers


def test_too_many_sign_ins_are_limited(visitor: TestClient) -> None:
    answers = [sign_in(visitor, "wrong") for _ in range(11)]
    assert [answer.status_code for answer in answers] == [401] * 10 + [429]
    assert "Too many attempts. Please wait a moment and try again." in answers[-1].text
    assert int(answers[-1].headers["retry-after"]) > 0


def test_signing_out_ends_the_session(admin: TestClient) -> None:
    secret = admin.cookies["sg_admin"]
    answer = admin.post("/admin/logout")
    assert (answer.status_code, answer.headers["location"]) == (303, "/admin/login?done=signed-out")
    assert "You have signed out." in admin.get(answer.headers["location"]).text
    admin.cookies.set("sg_admin", secret)
    assert admin.get("/admin").status_code == 303


def test_a_link_cannot_sign_anybody_out(admin: TestClient) -> None:
    assert admin.get("/admin/logout").status_code == 404
    assert admin.get("/admin").status_code == 200


@pytest.mark.parametrize("headers", [{"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}])
def test_forms_of_other_sites_are_refused(admin: TestClient, event: str, headers: dict[str, str]) -> None:
    answer = admin.post(f"{event}/codes", data={"count": "1"}, headers=headers)
    assert answer.status_code == 403
    assert ticket_rows(admin.get(event).text) == []


@pytest.mark.parametrize("path", ["events/new", f"events/{NOWHERE}/codes", f"tickets/{NOWHERE}/revoke"])
def test_a_signed_out_visitor_can_change_nothing(visitor: TestClient, path: str) -> None:
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
    """With `no-referrer` they would send `Origin: null`, and over plain http there is no other header to check."""
    assert admin.get("/admin").headers["referrer-policy"] == "same-origin"
