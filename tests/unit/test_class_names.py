"""No two classes have the same name: a reader who knows one of them must not be misled by the other."""

import ast
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).parents[2]
FOLDERS = ["authz_sidecar", "control_plane", "tests"]


def test_class_names_are_unique_across_the_project() -> None:
    places: dict[str, list[str]] = defaultdict(list)
    for file in (
        file for folder in FOLDERS for file in (ROOT / folder).rglob("*.py") if "node_modules" not in file.parts
    ):
        for node in ast.parse(file.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef):
                places[node.name].append(str(file.relative_to(ROOT)))
    assert len(places) > 300
    assert {name: files for name, files in places.items() if len(files) > 1} == {}
