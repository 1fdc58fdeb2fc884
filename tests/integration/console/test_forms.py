"""Invalid forms are refused with a sentence, count as sign-in attempts, and cost little."""

import time

import pytest
from starlette.testclient import TestClient

from tests.support.browsers.console import EVENT, sign_in
from tests.support.waiting import HANGS_AFTER_SECONDS

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
SENTENCE = "Send this form as application/x-www-form-urlencoded in UTF-8."
PARTS = b'--x\r\nContent-Disposition: form-data; name="username"\r\n\r\n' + b"xn--" * 15_000 + b"\r\n--x--\r\n"


@pytest.mark.parametrize("charset", ["punycode", "idna", "rot13", "zip", "utf-7", "utf-8", "unicode_escape"])
@pytest.mark.parametrize("path", ["/admin/login", "/admin/setup"])
def test_a_multipart_form_is_refused_with_any_charset_and_does_not_hang(
    visitor: TestClient, path: str, charset: str
) -> None:
    begun = time.process_time()
    kind = {"Content-Type": f"multipart/form-data; boundary=x; charset={charset}"}
    answer = visitor.post(path, content=PARTS, headers=kind)
    assert (answer.status_code, SENTENCE in answer.text) == (415, True)
    assert answer.headers["content-type"].startswith("text/html")
    assert time.process_time() - begun < HANGS_AFTER_SECONDS


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/json", "application/x-www-form-urlencoded; charset=utf-7", "x", ""]
)
def test_any_other_kind_of_body_is_refused(admin: TestClient, kind: str) -> None:
    answer = admin.post("/admin/events/new", content=b"title=Gala", headers={"Content-Type": kind})
    assert (answer.status_code, SENTENCE in answer.text) == (415, True)


@pytest.mark.parametrize(
    "kind", ["application/x-www-form-urlencoded; charset=UTF-8", "Application/X-WWW-Form-Urlencoded"]
)
def test_a_form_may_declare_utf_8(visitor: TestClient, kind: str) -> None:
    answer = visitor.post("/admin/login", content=b"username=anna&password=x", headers={"Content-Type": kind})
    assert answer.status_code == 401


@pytest.mark.parametrize(
    ("body", "sentence"),
    [(b"username=%ff&password=x", "not valid UTF-8"), (b"a=1&" * 101, "more than 100 fields")],
)
def test_bytes_that_are_not_a_form_are_refused_with_a_sentence(visitor: TestClient, body: bytes, sentence: str) -> None:
    answer = visitor.post("/admin/login", content=body, headers=FORM)
    assert (answer.status_code, sentence in answer.text) == (400, True)


def test_an_unreadable_form_counts_as_a_sign_in_attempt(visitor: TestClient) -> None:
    kind = {"Content-Type": "multipart/form-data; boundary=x"}
    answers = [visitor.post("/admin/login", content=PARTS, headers=kind).status_code for _ in range(5)]
    answers += [visitor.post("/admin/login", content=b"a=%ff", headers=FORM).status_code for _ in range(5)]
    assert answers == [415] * 5 + [400] * 5
    assert sign_in(visitor).status_code == 429


def test_the_largest_form_is_read_while_other_requests_are_answered(admin: TestClient) -> None:
    answer = admin.post("/admin/events/new", data=EVENT | {"description": "é" * 10_000})
    assert answer.status_code == 422
    assert "At most" in answer.text
