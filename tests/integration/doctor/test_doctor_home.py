"""`streamgate doctor`: a correct home has no error, and each problem is named with its fix."""

import os
import socket
from pathlib import Path

import pytest

from control_plane.ops import binaries
from tests.support.data.doctoring import Doctor, add_settings, answering, change, wrong
from tests.support.services.command import Streamgate


def test_a_home_in_order_has_no_error(doctor: Doctor, folder: Path) -> None:
    findings = doctor()
    assert [finding for finding in findings if finding.level == "error"] == []
    about = {finding.about for finding in findings if finding.level == "ok"}
    assert {"settings", "nginx", "database", "accounts", f"stream {folder.name}"} <= about


def test_the_text_output_has_a_line_and_its_fix_below(streamgate: Streamgate, home: Path) -> None:
    (home / ".env").chmod(0o644)
    said = streamgate("doctor", "--home", home)
    assert said.code == 1
    assert f"error   {home}/.env: Open to everybody (mode 644), and it holds secrets.\n" in said.out
    assert f"        -> chmod 600 {home}/.env\n" in said.out


def test_it_changes_nothing(doctor: Doctor, home: Path) -> None:
    def everything() -> dict[str, tuple[int, int]]:
        found = (path for path in home.rglob("*") if "streamgate.db" not in path.name)
        return {str(path): (path.stat().st_mtime_ns, path.stat().st_size) for path in found}

    before = everything()
    doctor()
    assert everything() == before


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("PLAYBACK_TOKEN_SECONDS", "soon", "PLAYBACK_TOKEN_SECONDS: "),
        ("INTERNAL_API_KEY", "short", "INTERNAL_API_KEY: "),
        ("ADMIN_PASSWORD_HASH", "plain text", "ADMIN_PASSWORD_HASH: must be a complete argon2id hash"),
        ("EDGE_NAME", "no spaces", "EDGE_NAME: "),
        ("REVOCATION_MAX_STALE_SECONDS", "0", "REVOCATION_MAX_STALE_SECONDS: "),
        ("TRUSTED_PROXIES", "everybody", "TRUSTED_PROXIES: "),
        ("CORS_ALLOWED_ORIGIN", "*", "CORS_ALLOWED_ORIGIN: "),
        ("PORT", "http", "PORT must be a whole number"),
    ],
)
def test_an_invalid_setting_is_an_error(doctor: Doctor, home: Path, name: str, value: str, sentence: str) -> None:
    add_settings(home, **{name: value})
    finding = wrong(doctor(), "settings")
    assert finding.level == "error"
    assert finding.what.startswith(sentence)


def test_weak_or_equal_secrets_are_named_and_not_shown(doctor: Doctor, home: Path) -> None:
    add_settings(home, PLAYBACK_SIGNING_SECRET="abcabc" * 8, INTERNAL_API_KEY="abcabc" * 8)
    findings = [finding for finding in doctor() if finding.about == "secrets"]
    assert {finding.level for finding in findings} == {"warning"}
    assert len(findings) == 3
    assert "abcabc" not in str(findings)


def test_a_group_readable_key_file_is_a_warning(streamgate: Streamgate, doctor: Doctor, home: Path) -> None:
    streamgate("key", "rotate", "--home", home)
    (home / "keys" / "playback.json").chmod(0o640)
    assert wrong(doctor(), f"{home}/keys/playback.json").level == "warning"


def test_a_port_used_by_another_program_is_an_error(doctor: Doctor, home: Path) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        add_settings(home, PORT=str(silent.getsockname()[1]))
        assert wrong(doctor(), f"port {silent.getsockname()[1]}").level == "error"


def test_another_web_server_at_the_port_is_not_mistaken_for_ours(doctor: Doctor, home: Path) -> None:
    with answering() as port:
        add_settings(home, PORT=str(port))
        assert wrong(doctor(), f"port {port}").what == "Another program answers there."


def test_a_cache_that_may_fill_the_databases_disk_is_a_warning(doctor: Doctor, home: Path) -> None:
    add_settings(home, UPSTREAM_ORIGIN="http://127.0.0.1:9", SEGMENT_CACHE_MAX_SIZE_GB="90000")
    assert "90000 GB" in wrong(doctor(), "cache").what
    add_settings(home, SEGMENT_CACHE_MAX_SIZE_GB="1")
    assert not [each for each in doctor() if each.about == "cache"]


def test_a_database_that_is_missing_is_an_error(doctor: Doctor, home: Path) -> None:
    (home / "streamgate.db").unlink()
    assert "no database" in wrong(doctor(), "database").what
    assert not (home / "streamgate.db").exists()


def test_an_older_schema_is_an_error(doctor: Doctor, home: Path) -> None:
    change(home, "UPDATE alembic_version SET version_num = '0001'")
    assert "migrate" in wrong(doctor(), "database").what


def test_a_home_without_accounts_is_reported(doctor: Doctor, home: Path) -> None:
    add_settings(home, ADMIN_PASSWORD_HASH="")
    change(
        home,
        "INSERT INTO admin_user (id, username, password_hash, role, is_active, created_at) "
        "VALUES ('1', 'admin', 'hash', 'owner', 0, '2027-01-15 12:00:00')",
    )
    findings = doctor()
    assert wrong(findings, "accounts").level == "error"


@pytest.mark.parametrize(("hosts", "is_told"), [("media.example.org", True), ("", False)])
def test_an_nginx_without_slices_matters_where_events_may_have_origins(
    doctor: Doctor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, hosts: str, is_told: bool
) -> None:
    real, lacking = binaries.find_nginx(), tmp_path / "bin" / "nginx"
    lacking.parent.mkdir()
    without = f"exec {real} -V 2>&1 | sed s/--with-http_slice_module// >&2"
    lacking.write_text(f'#!/bin/sh\nif [ "$1" = -V ]; then {without}; else exec {real} "$@"; fi\n')
    lacking.chmod(0o755)
    monkeypatch.setenv("PATH", f"{lacking.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("UPSTREAM_ALLOWED_HOSTS", hosts)
    told = [finding for finding in doctor() if "large files come in one piece" in finding.what]
    assert [finding.level for finding in told] == ["warning"] * is_told
