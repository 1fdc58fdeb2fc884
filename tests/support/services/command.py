"""Run `streamgate` commands in this process, so that tests do not wait a second for each start."""

import sys
from typing import Any, NamedTuple

import pytest

from control_plane.cli import main


class Said(NamedTuple):
    """A command's output and exit code."""

    code: int
    out: str
    err: str


class Streamgate:
    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch = monkeypatch
        self._capsys = capsys

    def __call__(self, *arguments: object) -> Said:
        self._monkeypatch.setattr(sys, "argv", ["streamgate", *map(str, arguments)])
        self._capsys.readouterr()
        with pytest.raises(SystemExit) as ending:
            main()
        printed = self._capsys.readouterr()
        return Said(_exit_code(ending.value.code), printed.out, printed.err)


def _exit_code(code: Any) -> int:
    assert code is None or isinstance(code, int), code
    return code or 0
