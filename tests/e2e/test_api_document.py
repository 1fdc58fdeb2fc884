"""Run schemathesis against the real server, through nginx, with the whole OpenAPI document.

There must be no 5xx, no undocumented response, no accepted invalid input, and no access without the documented
credentials; and each operation must succeed at least once with each kind of credential. LONG=1 adds schemathesis'
systematic cases, which take minutes, and SQLite: PostgreSQL is the stricter of the two databases.
"""

import os
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import httpx2
import pytest

from control_plane.access.actors import SCOPE_PERMISSIONS
from tests.support.clients.api_stock import STILL_SIGNED_IN
from tests.support.services.databases import running_stack
from tests.support.services.stack import StackUnderTest
from tests.support.variants import LONG, short_or_long

# Not positive_data_acceptance: JSON Schema cannot say that an event ends after its start.
CHECKS: Final = (
    "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,"
    "response_schema_conformance,negative_data_rejection,allow_header_conformance,ignored_auth"
)
MANY: Final = 3
FEW: Final = 1
SECONDS: Final = 900
ROOT: Final = Path(__file__).parents[2]
FOR_KEYS: Final = {permission.value for permissions in SCOPE_PERMISSIONS.values() for permission in permissions}
# At least one valid case of each operation; existing ids come from our hooks, not from responses.
CONFIGURATION: Final = """
[phases]
examples.fill-missing = true
coverage.unexpected-methods = ["DELETE", "TRACE"]
examples.extra-data-sources.responses = false
coverage.extra-data-sources.responses = false
fuzzing.extra-data-sources.responses = false
"""
IMPORT: Final = "POST /api/admin/events/{event_id}/tokens/import"
Answered = Mapping[str, Counter[int]]


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def running(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StackUnderTest]:
    """A stack that trusts this machine as a proxy, so that each request can have its own address for limits."""
    settings = {"TRUSTED_PROXIES": "127.0.0.1", "WEBHOOK_ALLOW_PRIVATE": "true"}
    with running_stack(request, tmp_path_factory.mktemp("api") / "home", **settings) as stack:
        yield stack


@pytest.fixture(scope="module")
def operations(running: StackUnderTest) -> dict[str, dict[str, Any]]:
    """All documented operations, by label: "GET /api/..."."""
    paths = httpx2.get(f"{running.url}/api/openapi.json", timeout=30).json()["paths"]
    return {f"{verb.upper()} {path}": one for path, methods in paths.items() for verb, one in methods.items()}


def run(stack: StackUnderTest, folder: Path, scheme: str, phases: str, *arguments: str) -> Answered:
    """Run schemathesis; fail with its output. Return the number of responses by operation and status."""
    noted = folder / "answers"
    (folder / "schemathesis.toml").write_text(CONFIGURATION)
    # One worker: several threads that parse Python at once sometimes fail (github.com/python/cpython/issues/106905).
    told = ["--phases", phases, "--checks", CHECKS, "--seed", "1", "--workers", "1", "--no-shrink"]
    told += ["--continue-on-failure", "--warnings", "off"]
    env = {"STREAMGATE_URL": stack.url, "STREAMGATE_HOME": str(stack.home), "STREAMGATE_SCHEME": scheme}
    env |= {
        "STREAMGATE_ANSWERS": str(noted),
        "SCHEMATHESIS_HOOKS": "tests.support.clients.api_hooks",
        "PYTHONPATH": str(ROOT),
    }
    argv = [str(Path(sys.executable).with_name("st")), "run", f"{stack.url}/api/openapi.json", *told, *arguments]
    done = subprocess.run(
        argv, capture_output=True, text=True, check=False, timeout=SECONDS, cwd=folder, env={**os.environ, **env}
    )
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr[-2_000:]
    answered: dict[str, Counter[int]] = defaultdict(Counter)
    for line in noted.read_text().splitlines():
        label, _, status = line.partition("\t")
        answered[label][int(status)] += 1
    return answered


def check_coverage(answered: Answered, labels: Iterable[str]) -> None:
    """Check that each operation succeeded, none was refused by a limit, and the owner is still signed in."""
    assert answered[STILL_SIGNED_IN] == {200: 1}
    assert answered.keys() - {STILL_SIGNED_IN} == set(labels)
    assert {label: seen for label, seen in answered.items() if not any(200 <= one < 300 for one in seen)} == {}
    assert {label: seen for label, seen in answered.items() if 429 in seen} == {}


@pytest.mark.parametrize("running", short_or_long(["postgresql"], ["postgresql", "sqlite"]), indirect=True)
def test_every_operation_answers_as_its_document_says(
    running: StackUnderTest, operations: dict[str, dict[str, Any]], tmp_path: Path
) -> None:
    phases = short_or_long("examples,fuzzing,stateful", "examples,coverage,stateful")
    answered = run(running, tmp_path, "session", phases, "--max-examples", str(short_or_long(FEW, MANY)))
    check_coverage(answered, operations)
    assert not LONG or answered[IMPORT].keys() >= {200, 201}


@pytest.mark.parametrize("running", ["postgresql"], indirect=True)
def test_operations_for_programs_answer_as_documented(
    running: StackUnderTest, operations: dict[str, dict[str, Any]], tmp_path: Path
) -> None:
    theirs = {label: one["operationId"] for label, one in operations.items() if one.get("x-permission") in FOR_KEYS}
    only = "--include-operation-id-regex", f"^({'|'.join(theirs.values())})$"
    check_coverage(run(running, tmp_path, "apiKey", "examples,fuzzing", "--max-examples", str(FEW), *only), theirs)


@pytest.mark.parametrize("running", ["postgresql"], indirect=True)
def test_the_document_and_its_page_are_public(running: StackUnderTest) -> None:
    document = httpx2.get(f"{running.url}/api/openapi.json", timeout=30).json()
    page = httpx2.get(f"{running.url}/api/docs", timeout=30)
    assert document["openapi"].startswith("3.1")
    assert all(path in page.text for path in document["paths"])
