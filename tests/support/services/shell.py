"""A shell in which a reader of the documents types commands, with the programs of this environment."""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, NamedTuple

from control_plane.ops.processes import ProcessSpec
from tests.support.services import forks
from tests.support.services.stack import Service
from tests.support.variants import short_or_long

_WITHIN: Final = 120.0  # seconds, on a busy machine
# A plain `streamgate ...` is forked, which saves two seconds of processor time; with LONG=1 bash starts all of them.
_FORKED: Final = re.compile(short_or_long(r"streamgate [^|&;<>$`*~]*", "(?!)"))
_SETTINGS: Final = {
    ".curlrc": "silent\nfail-with-body\n",
    ".gitconfig": "[user]\nname = Reader\nemail = reader@example.org\n",
}


class ShellResult(NamedTuple):
    """A command's exit code, and what it printed."""

    code: int
    printed: str


class Shell:
    """`folder` is where the next command is typed: `cd` changes it. pip installs nothing and asks nobody."""

    def __init__(self, folder: Path, home: Path) -> None:
        self.folder = folder
        self._left = home / "folder"
        programs = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        self._env = {**os.environ, "HOME": str(home), "PATH": programs, "PIP_DRY_RUN": "1", "PIP_NO_INDEX": "1"}
        for name, settings in _SETTINGS.items():
            (home / name).write_text(settings)

    def run(self, command: str, answers: str = "") -> ShellResult:
        """Run a command to its end. `answers` is what it reads."""
        if _FORKED.fullmatch(command):
            words = shlex.split(command)[1:]
            done = forks.run("control_plane.cli", *words, env=self._env, within=_WITHIN, answers=answers)
            return ShellResult(done.returncode, done.stdout + done.stderr)
        argv = ("bash", "-euo", "pipefail", "-c", f"{command}\npwd >'{self._left}'")
        printed = subprocess.run(
            argv,
            cwd=self.folder,
            env=self._env,
            input=answers,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=_WITHIN,
            check=False,
        )
        if printed.returncode == 0:
            self.folder = Path(self._left.read_text().strip())
        return ShellResult(printed.returncode, printed.stdout)

    def start(self, command: str, log: Path, is_ready: Callable[[], bool], settings: Mapping[str, str]) -> Service:
        """Start a command that runs until it is stopped, with these settings, and wait until it is ready."""

        async def look() -> bool:
            return is_ready()

        program, *words = command.split()
        in_bash = ("bash", "-c", f"cd '{self.folder}' && exec env {command}")
        argv = (*forks.PYTHON, *words[1:]) if program == "python" else in_bash
        running = Service(ProcessSpec(program, argv, {**self._env, **settings}, look), log)
        running.start()
        running.wait_ready()
        return running


def is_correct(command: str) -> bool:
    """Return whether bash can read it."""
    return subprocess.run(["bash", "-n", "-c", command], check=False, capture_output=True).returncode == 0
