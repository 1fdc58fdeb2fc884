"""The lists of forbidden modules in pyproject.toml name every module of the sidecar."""

import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
MODULES = {
    f"authz_sidecar.{path.stem}"
    for path in (ROOT / "authz_sidecar").iterdir()
    if path.stem not in {"__init__", "__pycache__"}
}


@pytest.mark.parametrize(
    ("source", "may_import"),
    [
        ("authz_sidecar.contract", {"contract"}),
        ("authz_sidecar.origin_fetcher", {"contract", "origin_fetcher", "serving"}),
        ("control_plane", {"contract", "origin_fetcher"}),
    ],
)
def test_of_the_sidecar_only_these_modules_may_be_imported(source: str, may_import: set[str]) -> None:
    [contract] = [one for one in CONTRACTS if one.get("source_modules") == [source] and one["type"] == "forbidden"]
    assert MODULES - set(contract["forbidden_modules"]) == {f"authz_sidecar.{name}" for name in may_import}
