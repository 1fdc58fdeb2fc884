"""Every command in a document does what the document says: they are typed in its order, beside the README's service.

They are read in the documents themselves. What cannot run here is named in NOT_RUN, with the reason.
"""

from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final

import pytest

from tests.support.documents import DOCUMENTS, ROOT, commands
from tests.support.services.reader import Reader, reader_of_the_readme
from tests.support.services.shell import is_correct
from tests.support.variants import short_or_long

_NAMED: Final = "the document only names it; another one has it with its options"
_THESE: Final = "it would run these tests again"
_BENCH: Final = "measures for minutes, and needs the machine to itself"
NOT_RUN: Final = {
    "streamgate init": _NAMED,
    "streamgate up": _NAMED,
    "streamgate doctor": _NAMED,
    "streamgate key rotate": _NAMED,
    "python -m control_plane": _NAMED,
    "python -m authz_sidecar": _NAMED,
    "python -m authz_sidecar.origin_fetcher": _NAMED,
    "make test*": _THESE,
    ".venv/bin/pytest *": _THESE,
    "make lint": "tests/lint runs what it runs",
    "mypy --strict": "tests/lint runs it",
    "make bench": _BENCH,
    "python -m tests.bench.*": _BENCH,
    "make soak": "tests/e2e/test_soak.py runs it for a shorter time",
    "make pictures": "tests/e2e/test_pictures.py takes them",
    "make vendor": "downloads from npm; tests/integration/test_vendor.py does it where that is possible",
    "make lock": "asks PyPI for the newest versions",
    "pre-commit install": "pre-commit is a contributor's own choice",
    "git tag -s *": "needs a maintainer's key",
    "/opt/streamgate/.venv/bin/streamgate up *": "a line for systemd: the README's `up`, at another path",
    "nginx -e stderr *": "the shipped files take port 80; tests/integration/test_nginx_configuration.py reads them",
    "until ffmpeg *": "a sketch around the command above it, which tests/support/media/encoder.py starts again",
    "perf record *": "how a number was measured",
    "py-spy record *": "how a number was measured",
    "kill -9": "how something was tried",
}
# They start a second service, and the demo encodes for half a minute.
ONLY_LONG: Final = dict.fromkeys(
    ("*make demo", "streamgate demo *", "streamgate up --home DIR *"),
    "runs with LONG=1; tests/e2e/test_up.py starts a service in every run",
)
LEFT_OUT: Final = NOT_RUN | short_or_long(ONLY_LONG, {})
ADVICE: Final = """
Correct the document, or the program. A new placeholder gets a value in tests/support/services/reader.py. A command
that cannot run here is named in NOT_RUN, with the reason, in tests/e2e/test_documents.py."""
ALL: Final = {str(document.relative_to(ROOT)): commands(document) for document in DOCUMENTS if commands(document)}
EACH: Final = {command for found in ALL.values() for command in found}


def is_run(command: str) -> bool:
    return not any(fnmatchcase(command, pattern) for pattern in LEFT_OUT)


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    with reader_of_the_readme(tmp_path_factory.mktemp("reader")) as reading:
        yield reading


@pytest.mark.parametrize("document", [name for name, found in ALL.items() if any(map(is_run, found))])
def test_every_command_does_what_the_document_says(document: str, reader: Reader, tmp_path: Path) -> None:
    for command in filter(is_run, ALL[document]):
        try:
            reader.follow(command, tmp_path)
        except AssertionError as failed:
            raise AssertionError(f"{document}: {failed}{ADVICE}") from failed


def test_whatever_is_left_out_is_in_a_document() -> None:
    assert [pattern for pattern in NOT_RUN | ONLY_LONG if not any(fnmatchcase(one, pattern) for one in EACH)] == []


def test_whatever_is_only_named_is_run_with_its_options() -> None:
    named = [pattern for pattern, reason in NOT_RUN.items() if reason == _NAMED]
    assert [name for name in named if not any(f"{name} " in one and is_run(one) for one in EACH)] == []


def test_bash_can_read_what_is_left_out() -> None:
    assert [command for command in EACH if not is_run(command) and not is_correct(command)] == []
