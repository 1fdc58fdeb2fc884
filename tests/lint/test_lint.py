"""Style, types, and which module may import which: what `make lint` checks, beside the other tests of a run."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("command", ["mypy", "ruff check", "ruff format --check", "lint-imports"])
def test_nothing_is_found(command: str) -> None:
    tool, *words = command.split()
    done = subprocess.run(
        [Path(sys.executable).with_name(tool), *words], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
