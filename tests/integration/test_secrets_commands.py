"""Findings of `doctor` about the key for secrets and the database's files, and `streamgate secrets reset`."""

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest
import typer

from control_plane.db.sealing import SETTING
from control_plane.ops.home import add_setting
from tests.support.services.command import Streamgate
from tests.support.services.home import new_home
from tests.support.services.ports import free_port

HOOK = (
    "INSERT INTO webhook VALUES ('w', 'https://hooks.example.org/', ?, 'event.live', 1, '2027-01-15 12:00:00', 0, NULL)"
)


@pytest.fixture
def streamgate(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Streamgate:
    return Streamgate(monkeypatch, capsys)


@pytest.fixture
def home(tmp_path: Path, streamgate: Streamgate) -> Path:
    new_home(tmp_path / "home", port=free_port())
    assert streamgate("migrate", "--home", tmp_path / "home").code == 0
    return tmp_path / "home"


def run(home: Path, statement: str, *values: str) -> list[tuple[Any, ...]]:
    with sqlite3.connect(home / "streamgate.db") as connection:
        rows = connection.execute(statement, values).fetchall()
    connection.close()
    return rows


def said_of(streamgate: Streamgate, home: Path, about: str) -> list[tuple[str, str]]:
    findings = json.loads(streamgate("doctor", "--home", home, "--json").out)["data"]
    return [(finding["level"], finding["what"]) for finding in findings if finding["about"] == about]


def test_doctor_reports_a_missing_or_wrong_key(streamgate: Streamgate, home: Path) -> None:
    assert said_of(streamgate, home, SETTING) == [("ok", "It opens the secrets in the database.")]
    for key, said in (("", "It is missing, and needed to open"), ("k" * 40, "It does not open")):
        add_setting(home, SETTING, key)
        assert said_of(streamgate, home, SETTING) == [("error", f"{said} the secrets in the database.")]
    add_setting(home, SETTING, "")
    run(home, "DELETE FROM seal_check")
    [(level, what)] = said_of(streamgate, home, SETTING)
    assert (level, "nothing secret can be stored" in what) == ("warning", True)
    run(home, HOOK, "whsec_in_the_clear")
    assert said_of(streamgate, home, SETTING) == [
        ("error", "It is missing, and the database contains unencrypted secrets.")
    ]


def test_doctor_reports_a_database_that_others_may_read(streamgate: Streamgate, home: Path) -> None:
    file = home / "streamgate.db"
    assert said_of(streamgate, home, str(file)) == [("ok", "Readable by its owner only.")]
    file.chmod(0o644)
    assert said_of(streamgate, home, str(file)) == [("error", "Open to everybody (mode 644), and it holds secrets.")]


def test_a_lost_key_is_replaced_after_a_confirmation_and_recorded(
    streamgate: Streamgate, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(home, HOOK, "whsec_that_migrate_seals")
    assert streamgate("migrate", "--home", home).code == 0
    [(sealed,)] = run(home, "SELECT secret FROM webhook")
    add_setting(home, SETTING, "")
    refused = streamgate("secrets", "reset", "--home", home)
    assert (refused.code, "Set SECRETS_KEY" in refused.err) == (1, True)
    add_setting(home, SETTING, "n" * 40)
    monkeypatch.setattr(typer, "confirm", lambda *_, **__: (_ for _ in ()).throw(typer.Abort()))
    asked = streamgate("secrets", "reset", "--home", home)
    assert (asked.code, "webhooks: 1." in asked.err) == (1, True)
    assert run(home, "SELECT secret FROM webhook") == [(sealed,)]
    assert streamgate("secrets", "reset", "--home", home, "--yes").code == 0
    assert run(home, "SELECT is_active FROM webhook") == [(0,)]
    [(detail,)] = run(home, "SELECT detail FROM audit_entry WHERE action = 'secrets.reset'")
    assert json.loads(detail)["webhooks"] == 1
    assert said_of(streamgate, home, SETTING) == [("ok", "It opens the secrets in the database.")]
    assert streamgate("migrate", "--home", home).code == 0
