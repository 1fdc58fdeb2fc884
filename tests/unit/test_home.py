"""Homes: what `init` writes, and what it must not touch."""

import stat
from pathlib import Path

import argon2
import pytest

from control_plane.errors import OperatorError, UsageError
from control_plane.ops import home
from control_plane.ops.home import create_home, public_port, read_environment, stream_root

SETTINGS = (
    "PLAYBACK_SIGNING_SECRET",
    "INTERNAL_API_KEY",
    "SECRETS_KEY",
    "ADMIN_PASSWORD_HASH",
    "DATABASE_URL",
    "STREAM_ROOT",
    "PORT",
)


@pytest.fixture(autouse=True)
def _empty_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in SETTINGS:
        monkeypatch.delenv(name, raising=False)


def test_a_home_holds_fresh_secrets_and_a_database(tmp_path: Path) -> None:
    create_home(tmp_path / "one", "secret", 9000)
    create_home(tmp_path / "two", "secret", 9000)
    one, two = read_environment(tmp_path / "one"), read_environment(tmp_path / "two")
    for name in ("PLAYBACK_SIGNING_SECRET", "INTERNAL_API_KEY", "SECRETS_KEY", "ADMIN_PASSWORD_HASH"):
        assert one[name] != two[name]
        assert len(one[name]) >= 32
    assert one["DATABASE_URL"] == f"sqlite+aiosqlite:///{tmp_path}/one/streamgate.db"
    assert (tmp_path / "one" / "streamgate.db").stat().st_size > 0
    assert public_port(one) == 9000


def test_the_password_is_stored_as_its_hash_which_survives_the_file(tmp_path: Path) -> None:
    create_home(tmp_path / "home", "it's $HOME\\n")
    stored = read_environment(tmp_path / "home")["ADMIN_PASSWORD_HASH"]
    assert argon2.PasswordHasher().verify(stored, "it's $HOME\\n")


def test_only_the_owner_reads_the_settings(tmp_path: Path) -> None:
    create_home(tmp_path / "home", "secret")
    assert stat.S_IMODE((tmp_path / "home" / ".env").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "home").stat().st_mode) == 0o700


def test_a_new_home_contains_only_settings_database_and_streams(tmp_path: Path) -> None:
    create_home(tmp_path / "home", "secret")
    assert sorted(entry.name for entry in (tmp_path / "home").iterdir()) == [".env", "streamgate.db", "streams"]


def test_a_home_is_never_overwritten(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("PORT=1234\n")
    with pytest.raises(OperatorError, match="never overwritten"):
        create_home(tmp_path, "secret")
    assert [entry.name for entry in tmp_path.iterdir()] == [".env"]
    assert (tmp_path / ".env").read_text() == "PORT=1234\n"


def test_of_two_simultaneous_inits_of_a_home_the_later_one_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def meanwhile(_url: str) -> None:
        (tmp_path / ".env").write_text("PORT=1234\n")

    monkeypatch.setattr(home, "upgrade_schema", meanwhile)
    with pytest.raises(OperatorError, match="never overwritten"):
        create_home(tmp_path, "secret")
    assert (tmp_path / ".env").read_text() == "PORT=1234\n"
    assert not list(tmp_path.glob(".env.*"))


@pytest.mark.parametrize("port", [0, -1, 65_536])
def test_an_invalid_port_is_refused_and_nothing_is_created(tmp_path: Path, port: int) -> None:
    with pytest.raises(UsageError, match="from 1 to 65535"):
        create_home(tmp_path / "home", "secret", port)
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize("password", ["", "  "])
def test_an_empty_password_is_refused_and_nothing_is_created(tmp_path: Path, password: str) -> None:
    with pytest.raises(UsageError, match="must not be empty"):
        create_home(tmp_path / "home", password)
    assert not (tmp_path / "home").exists()


def test_a_home_inside_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot be written"):
        create_home(tmp_path / "file" / "home", "secret")


def test_the_environment_takes_precedence_over_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    create_home(tmp_path, "secret", 9000)
    monkeypatch.setenv("PORT", "9001")
    assert public_port(read_environment(tmp_path)) == 9001


def test_streams_lie_in_the_home_unless_the_environment_names_another_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    create_home(tmp_path / "one", "secret")
    monkeypatch.setenv("STREAM_ROOT", str(tmp_path / "elsewhere"))
    create_home(tmp_path / "two", "secret")
    monkeypatch.delenv("STREAM_ROOT")
    for name, expected in (("one", tmp_path / "one" / "streams"), ("two", tmp_path / "elsewhere")):
        assert stream_root(tmp_path / name, read_environment(tmp_path / name)) == expected
        assert expected.is_dir()


def test_a_folder_without_settings_is_not_a_home(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match="streamgate init"):
        read_environment(tmp_path)


@pytest.mark.parametrize("name", ["DATABASE_URL", "INTERNAL_API_KEY"])
def test_the_environment_alone_can_hold_the_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "from-outside")
    assert read_environment(tmp_path / "nothing-here")[name] == "from-outside"


def test_an_empty_value_in_the_environment_counts_as_unset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "")
    with pytest.raises(OperatorError, match="streamgate init"):
        read_environment(tmp_path)


@pytest.mark.parametrize("port", ["http", "1e3", "-1", "0", "70000", "٣"])
def test_a_port_in_the_settings_must_be_one(port: str) -> None:
    with pytest.raises(OperatorError, match=r"(?i)port must be"):
        public_port({"PORT": port})
