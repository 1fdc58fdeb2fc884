"""schemathesis against the real server, through nginx, over the whole OpenAPI document.

No 5xx, no answer that the document does not know, no bad input accepted, no way in without a key or a cookie.
"""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import httpx2
import pytest

from tests.support.people import Organiser, Viewer
from tests.support.stack import ADMIN_PASSWORD, StackUnderTest

# Not positive_data_acceptance: JSON Schema cannot say that an event ends after its start.
CHECKS: Final = (
    "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,"
    "response_schema_conformance,negative_data_rejection,allow_header_conformance,ignored_auth"
)
# What ends the session that the others are asked with.
FRONT_DOOR: Final = r"^/api/admin/(login|logout|session$|account|users/.user_id./)"
SECONDS: Final = 900


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StackUnderTest]:
    stack = StackUnderTest(tmp_path_factory.mktemp("api") / "home")
    stack.start()
    organiser, viewer = Organiser(stack.url), Viewer(stack.url)
    event_id = organiser.create_event()
    viewer.redeem(organiser.tickets(event_id, 3)[0].code)
    organiser.close()
    viewer.close()
    yield stack
    stack.stop()


def owner_cookie(url: str) -> str:
    answer = httpx2.post(f"{url}/api/admin/login", json={"password": ADMIN_PASSWORD})
    return f"Cookie:sg_admin={answer.cookies['sg_admin']}"


def run(url: str, folder: Path, *arguments: str) -> str:
    """Run schemathesis; fail with what it printed."""
    command: list[str | Path] = [
        Path(sys.executable).with_name("st"),
        "run",
        f"{url}/api/openapi.json",
        "--checks",
        CHECKS,
    ]
    limits = ["--max-examples", "15", "--seed", "1", "--phases", "examples,coverage,fuzzing,stateful", "--workers", "2"]
    told = [*limits, "--continue-on-failure", "--warnings", "off"]
    done = subprocess.run(
        [*command, *told, *arguments], capture_output=True, text=True, check=False, timeout=SECONDS, cwd=folder
    )
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr[-2_000:]
    return done.stdout


def test_the_admin_api_answers_as_its_document_says(running: StackUnderTest, tmp_path: Path) -> None:
    cookie = owner_cookie(running.url)
    only = ["--include-path-regex", "^/api/admin/", "--exclude-path-regex", FRONT_DOOR]
    run(running.url, tmp_path, "-H", cookie, *only)
    with httpx2.Client(base_url=running.url, headers=dict([cookie.split(":", 1)])) as http:
        assert http.get("/api/admin/session").status_code == 200, "the session has ended: nothing was tested after that"


def test_the_front_door_and_the_viewers_answer_as_their_document_says(running: StackUnderTest, tmp_path: Path) -> None:
    others = "^/api/admin/(?!login|logout|session$|account|users/.user_id./)"
    run(running.url, tmp_path, "-H", owner_cookie(running.url), "--exclude-path-regex", others)


def test_the_document_and_its_page_are_there_for_everybody(running: StackUnderTest) -> None:
    document = httpx2.get(f"{running.url}/api/openapi.json").json()
    page = httpx2.get(f"{running.url}/api/docs")
    assert document["openapi"].startswith("3.1")
    assert all(path in page.text for path in document["paths"])
