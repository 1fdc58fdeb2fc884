"""A copy of this checkout, with a repository that it was cloned from: whoever works in it changes nothing of ours."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Final

from tests.support.documents import ROOT

VERSION: Final = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
_SET_UP: Final = Path(".setup/test")  # what `make setup` writes when it has installed the packages


def new_checkout(folder: Path) -> Path:
    """Commit and tag all that is not ignored here, with our environment as `.venv`; return a clone of it."""
    ours = folder / "origin"
    git("init", "-q", ours)
    git("-C", ROOT, f"--git-dir={ours}/.git", f"--work-tree={ROOT}", "add", ".")
    git("-C", ours, "checkout", "-q", ".")
    (ours / ".venv").symlink_to(sys.prefix)
    if (ROOT / _SET_UP).exists():
        (ours / ".setup").mkdir()
        (ours / _SET_UP).write_bytes((ROOT / _SET_UP).read_bytes())
    git("-C", ours, "add", "-f", ".venv", *ours.glob(".setup"))
    git("-C", ours, "-c", "user.name=Test", "-c", "user.email=test@example.org", "commit", "-q", "-m", "All of it")
    git("-C", ours, "tag", f"v{VERSION}")
    git("clone", "-q", ours, folder / "streamgate")
    return folder / "streamgate"


def git(*words: str | Path) -> None:
    alone = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    subprocess.run(["git", *words], env=alone, check=True, timeout=60)
