"""The documents are correct: every link, path and command in them exists.

Nothing is executed here: command lines are compared with the Typer app, and paths with the repository.
tests/e2e/test_documents.py runs the commands.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from typer.main import get_command

from control_plane.api.admin_routes import ADMIN_ENDPOINTS
from control_plane.api.viewer_routes import VIEWER_ENDPOINTS
from control_plane.cli import app
from tests.support.documents import DOCUMENTS, ROOT, code, prose, text

README = ROOT / "README.md"
MOST_LINES_OF_THE_README = 150
RECORDS = sorted((ROOT / "docs/decisions").glob("[0-9]*.md"))
COMMANDS = get_command(app)
ROUTES = {
    (one.method, prefix + re.sub(r":[a-z]+}", "}", one.path))
    for prefix, endpoints in (("/api", VIEWER_ENDPOINTS), ("/api/admin", ADMIN_ENDPOINTS))
    for one in endpoints
}
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ +(.+?)\s*$", re.MULTILINE)
# What looks like a path of the repository: below one of its folders, or the end of a path, of a source file.
_IN_A_FOLDER = re.compile(r"(?:\.ci|authz_sidecar|control_plane|deploy|docs|nginx|streams|tests)/[\w./*-]*")
_SOURCE_FILE = re.compile(r"\w[\w./-]*/[\w.-]+\.(?:py|conf|html|js|css|toml|lock|sh|md|mako)")
_IN_THE_WHEEL = {"control_plane/nginx/"}
_MODULE = re.compile(r"python -m ([\w.]+)")
_MAKE = re.compile(r"(?:^|\s)make ([a-z][a-z-]*)(?=\s|$)")
_ROUTE = re.compile(r"\b(GET|POST|PUT|PATCH|DELETE) (/api/[\w/{}-]+)")
_COMMAND = re.compile(r"(?:^|[\s/])streamgate ([a-z-].*)")


@cache
def _links(document: Path) -> list[str]:
    return [link for link in _LINK.findall(prose(document)) if "://" not in link]


@cache
def _anchors(document: Path) -> set[str]:
    """Return the anchors that GitHub generates for the headings."""
    plain = (re.sub(r"[`*]|\[|\]\([^)]*\)", "", heading) for heading in _HEADING.findall(prose(document)))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in plain}


def _faults(find: Callable[[Path], Iterable[object]]) -> dict[str, list[object]]:
    """Return the faults by document."""
    found = {str(document.relative_to(ROOT)): [*find(document)] for document in DOCUMENTS}
    return {name: faults for name, faults in found.items() if faults}


def _target(document: Path, link: str) -> Path:
    path = link.partition("#")[0]
    return (document.parent / path).resolve() if path else document


def _is_broken(document: Path, link: str) -> bool:
    target, anchor = _target(document, link), link.partition("#")[2]
    return not target.exists() or bool(anchor and anchor not in _anchors(target))


def test_the_readme_is_short() -> None:
    assert len(text(README).splitlines()) <= MOST_LINES_OF_THE_README


def test_every_link_is_valid() -> None:
    assert _faults(lambda document: [link for link in _links(document) if _is_broken(document, link)]) == {}


def test_every_document_is_linked_from_another() -> None:
    linked = {_target(document, link) for document in DOCUMENTS for link in _links(document)}
    assert [document for document in DOCUMENTS if document.resolve() not in linked | {README.resolve()}] == []


def _is_missing(path: str) -> bool:
    if _IN_A_FOLDER.fullmatch(path):
        return not any(ROOT.glob(path))
    return not any((ROOT / folder).glob(f"**/{path}") for folder in ("authz_sidecar", "control_plane", "tests"))


def _missing_paths(document: Path) -> list[str]:
    words = {word for line in code(document) for word in line.split()}
    paths = {word for word in words if _IN_A_FOLDER.fullmatch(word) or _SOURCE_FILE.fullmatch(word)}
    return sorted(filter(_is_missing, paths - _IN_THE_WHEEL))


def test_every_path_of_the_repository_exists() -> None:
    assert _faults(_missing_paths) == {}


def _all_found(document: Path, pattern: re.Pattern[str]) -> set[str]:
    return {match[1] for line in code(document) for match in pattern.finditer(line)}


def test_every_module_exists() -> None:
    assert _faults(lambda document: [one for one in _all_found(document, _MODULE) if find_spec(one) is None]) == {}


def test_every_make_target_exists() -> None:
    targets = {*re.findall(r"^([a-z-]+):", text(ROOT / "Makefile"), re.MULTILINE)}
    assert _faults(lambda document: _all_found(document, _MAKE) - targets) == {}


def test_every_route_exists() -> None:
    assert _faults(lambda document: {*re.findall(_ROUTE, "\n".join(code(document)))} - ROUTES) == {}


def _command_lines(document: Path) -> Iterator[list[str]]:
    """Yield the words after `streamgate` of each command line, without synopsis notation."""
    for line in code(document):
        if found := _COMMAND.search(line):
            yield re.sub(r"[][|\\]|\.\.\.", " ", found[1].split(" > ")[0]).split()


def _unknown(words: Iterable[str]) -> str:
    """Return the first word that is neither a subcommand nor an option; others are values."""
    command: Any = COMMANDS
    for word in words:
        if hasattr(command, "get_command") and not word.startswith("-"):
            command = command.get_command(None, word)
            if command is None:
                return word
        elif word.startswith("--") and word != "--help":
            options = {name for option in command.params for name in (*option.opts, *option.secondary_opts)}
            if word not in options:
                return word
    return ""


def test_every_command_line_parses() -> None:
    assert _faults(lambda document: [line for line in _command_lines(document) if _unknown(line)]) == {}


def test_every_block_of_code_has_fences() -> None:
    """Commands in a block that is only indented would not be found."""
    assert _faults(lambda document: re.findall(r"^\n {4,}(?![ -]).*", prose(document), re.MULTILINE)) == {}


def test_command_lines_are_found_and_checked() -> None:
    """A check of the checks: otherwise nothing might be compared above."""
    assert len([*_command_lines(ROOT / "docs/reference/commands.md")]) > 15
    assert not _unknown(["key", "rotate", "--home", "DIR", "--algorithm", "HS256", "--keep", "2"])
    assert _unknown(["key", "turn", "--home", "DIR"]) == "turn"
    assert _unknown(["key", "rotate", "--speed", "2"]) == "--speed"


def test_every_decision_lists_rejected_options() -> None:
    parts = {record.name: re.findall(r"^## (.+)\n\n\S", text(record), re.MULTILINE) for record in RECORDS}
    wanted = ["Context", "Decision", "Rejected", "Consequences"]
    assert {name: found for name, found in parts.items() if found != wanted} == {}


def test_decisions_are_numbered_without_a_gap() -> None:
    assert [int(record.name[:4]) for record in RECORDS] == [*range(1, len(RECORDS) + 1)]
    assert [record.name for record in RECORDS if not text(record).startswith(f"# {int(record.name[:4])}. ")] == []
