"""`streamgate` as a shell runs it, in this process: so that a test of a command takes no second to start."""

import sys
from typing import Any, NamedTuple

import pytest

from control_plane.cli import main


class Said(NamedTuple):
    """What a command printed, and its exit code."""

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
