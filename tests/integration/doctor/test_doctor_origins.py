"""`streamgate doctor` requests origins as an edge does, and reports their real answers."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.support.data.doctoring import Doctor, add_settings, answering, wrong
from tests.support.media.origin import Origin, Reply
from tests.support.services.certificates import certificate


def test_an_origin_is_requested_and_its_clock_compared(doctor: Doctor, home: Path) -> None:
    with answering(clock=datetime(2020, 1, 1, tzinfo=UTC)) as port:
        add_settings(home, UPSTREAM_ORIGIN=f"http://127.0.0.1:{port}")
        assert "differs from the origin's" in wrong([each for each in doctor() if "origin" in each.what], "clock").what
    assert wrong(doctor(), "origin").level == "error"


@pytest.mark.parametrize(
    ("reply", "level", "says"),
    [
        (
            Reply(302, b"", {"Location": "/hls/?cookieCheck=1&session=hunter2"}),
            "warning",
            "302 to /hls/?cookieCheck=...",
        ),
        (Reply(401), "warning", "answers 401."),
        (Reply(503), "warning", "answers 503."),
        (Reply(404), "ok", "answers (404)."),
    ],
)
def test_the_answer_of_an_origin_is_quoted(doctor: Doctor, home: Path, reply: Reply, level: str, says: str) -> None:
    origin = Origin(replies={"/hls/": reply})
    origin.start()
    add_settings(home, UPSTREAM_ORIGIN=origin.url)
    try:
        [found] = [each for each in doctor() if each.about == "origin"]
    finally:
        origin.stop()
    assert found.level == level
    assert says in found.what
    assert "hunter2" not in found.what


def test_an_origin_gets_its_credentials_and_failures_have_a_reason(doctor: Doctor, home: Path) -> None:
    origin = Origin(replies={"/hls/": Reply(404)})
    origin.start()
    settings = {"UPSTREAM_ORIGIN_HEADER": "X-Key: hunter2", "UPSTREAM_ORIGIN_QUERY": "sign=a%20b"}
    add_settings(home, UPSTREAM_ORIGIN=origin.url, **settings)
    doctor()
    origin.stop()
    [asked] = origin.asked
    assert (asked.headers["x-key"], asked.target) == ("hunter2", "/hls/?sign=a%20b")
    found = wrong(doctor(), "origin")
    assert (found.level, found.what) == ("error", "UPSTREAM_ORIGIN does not answer: connection refused.")
    add_settings(home, UPSTREAM_ORIGIN="http://no-such-host.invalid")
    assert "its host name could not be resolved" in wrong(doctor(), "origin").what


def test_an_untrusted_certificate_of_an_origin_is_reported(doctor: Doctor, home: Path, tmp_path: Path) -> None:
    origin = Origin(certificate=certificate(tmp_path, "localhost"))
    origin.start()
    add_settings(home, UPSTREAM_ORIGIN=origin.url)
    try:
        assert "the certificate is not trusted: self" in wrong(doctor(), "origin").what
    finally:
        origin.stop()
