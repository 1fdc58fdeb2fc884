"""A home, and `streamgate doctor` for it."""

import json
from pathlib import Path

import pytest

from tests.support.data.doctoring import (
    EMPTY_PACKET,
    EVENT_ID,
    PLAYLIST,
    Doctor,
    Told,
    add_event,
)
from tests.support.services.command import Streamgate
from tests.support.services.home import new_home
from tests.support.services.ports import free_port


@pytest.fixture
def streamgate(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Streamgate:
    return Streamgate(monkeypatch, capsys)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return new_home(tmp_path / "home", port=free_port())


@pytest.fixture
def doctor(streamgate: Streamgate, home: Path, monkeypatch: pytest.MonkeyPatch) -> Doctor:
    monkeypatch.setattr("control_plane.ops.doctor.origin._PATIENCE_SECONDS", 30)
    monkeypatch.setattr("control_plane.ops.doctor.settings._START_SECONDS", 120)

    def examine() -> list[Told]:
        said = streamgate("doctor", "--home", home, "--json")
        findings = [Told(**finding) for finding in json.loads(said.out)["data"]]
        assert said.code == any(finding.level == "error" for finding in findings)
        assert all(finding.fix for finding in findings if finding.level != "ok")
        return findings

    return examine


@pytest.fixture
def folder(streamgate: Streamgate, home: Path) -> Path:
    """The folder of a running event, with a playlist in it."""
    add_event(streamgate, home)
    folder = home / "streams" / EVENT_ID
    folder.mkdir()
    (folder / "stream.m3u8").write_text(PLAYLIST.format(0) + "#EXT-X-ENDLIST\n")
    (folder / "0.ts").write_bytes(EMPTY_PACKET * 3)
    return folder
