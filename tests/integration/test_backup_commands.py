"""`streamgate backup` and `streamgate restore`: one file recreates an installation and overwrites nothing."""

import gzip
import json
import stat
from pathlib import Path

import anyio
import pytest
from sqlalchemy import select

from control_plane.db.database import Database
from control_plane.db.sealing import Sealer
from control_plane.ops.home import read_environment, settings_file
from control_plane.ops.key_file import rotate
from control_plane.ops.supervisor import exclusive_lock
from control_plane.tables import AdminUser, Webhook
from tests.support.data.backups import lines_of, write_lines
from tests.support.data.rows import but_for_the_restore, contents, fill
from tests.support.services.command import Streamgate
from tests.support.services.home import new_home


@pytest.fixture
def streamgate(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Streamgate:
    return Streamgate(monkeypatch, capsys)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home with its own key and rows in every table."""
    new_home(tmp_path / "home")
    rotate(tmp_path / "home")
    anyio.run(fill, url(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "streamgate.backup"


def url(home: Path) -> str:
    return read_environment(home)["DATABASE_URL"]


def secrets_of(home: Path) -> list[str]:
    """Return the unsealed secrets of a home."""
    sealer = Sealer([read_environment(home)["SECRETS_KEY"]])

    async def read() -> list[str]:
        database = Database(url(home))
        async with database.read() as db:
            found = [*await db.scalars(select(AdminUser.totp_secret)), *await db.scalars(select(Webhook.secret))]
        await database.close()
        return [str(value) for value in found if value is not None]

    sealed = anyio.run(read)
    assert all(value.startswith("sealed:") for value in sealed)
    return [sealer.open(value) for value in sealed]


def files(home: Path) -> dict[str, bytes]:
    """Return the files that matter to an operator."""
    return {name: (home / name).read_bytes() for name in (".env", "keys/playback.json") if (home / name).exists()}


def test_a_backup_with_secrets_restores_the_same_installation_elsewhere(
    streamgate: Streamgate, home: Path, file: Path, tmp_path: Path
) -> None:
    assert streamgate("backup", file, "--home", home, "--with-secrets").code == 0
    said = streamgate("restore", file, "--home", tmp_path / "new")
    assert said.code == 0, said.err
    old, new = read_environment(home), read_environment(tmp_path / "new")
    assert new["DATABASE_URL"] == f"sqlite+aiosqlite:///{tmp_path}/new/streamgate.db"
    assert new["STREAM_ROOT"] == f"{tmp_path}/new/streams"
    assert new["PLAYBACK_KEYS_FILE"] == f"{tmp_path}/new/keys/playback.json"
    moved = {"DATABASE_URL", "STREAM_ROOT", "PLAYBACK_KEYS_FILE"}
    assert {name: value for name, value in new.items() if name not in moved} == {
        name: value for name, value in old.items() if name not in moved
    }
    assert files(tmp_path / "new")["keys/playback.json"] == files(home)["keys/playback.json"]
    for name in (".env", "keys/playback.json"):
        assert stat.S_IMODE((tmp_path / "new" / name).stat().st_mode) == 0o600
    before, after = (anyio.run(contents, url(folder)) for folder in (home, tmp_path / "new"))
    assert but_for_the_restore(after) == but_for_the_restore(before)
    assert (tmp_path / "new" / "streams").is_dir()


def test_a_backup_without_secrets_contains_none_and_needs_an_existing_home(
    streamgate: Streamgate, home: Path, file: Path, tmp_path: Path
) -> None:
    streamgate("backup", file, "--home", home)
    text = gzip.decompress(file.read_bytes()).decode()
    settings = read_environment(home)
    for name in ("PLAYBACK_SIGNING_SECRET", "INTERNAL_API_KEY"):
        assert settings[name] not in text
    said = streamgate("restore", file, "--home", tmp_path / "new")
    assert said.code == 1
    assert "streamgate init" in said.err
    assert not (tmp_path / "new").exists()


def test_only_known_settings_of_a_backup_are_restored(
    streamgate: Streamgate, home: Path, file: Path, tmp_path: Path
) -> None:
    with settings_file(home).open("a") as settings:
        settings.write("# how we call it\nAPP_NAME='Our hall'\nexport PYTHONPATH=/tmp/evil\nLD_PRELOAD=/tmp/evil.so\n")
        settings.write("PATH=/tmp/evil\nPYTHONWARNINGS=ignore\nSSL_CERT_FILE=/tmp/evil\nno setting at all\n")
    streamgate("backup", file, "--home", home, "--with-secrets")
    assert streamgate("restore", file, "--home", tmp_path / "new").code == 0
    written = settings_file(tmp_path / "new").read_text()
    assert "# how we call it\nAPP_NAME='Our hall'\n" in written
    assert "evil" not in written
    assert "PYTHON" not in written


@pytest.mark.parametrize("spelling", ["{other}/streamgate.db", "{link}/streamgate.db", "{home}/../other/streamgate.db"])
def test_a_restored_home_never_uses_the_database_of_another_home(
    streamgate: Streamgate, home: Path, file: Path, tmp_path: Path, spelling: str
) -> None:
    new_home(tmp_path / "other", "other", 9001)
    (tmp_path / "link").symlink_to(tmp_path / "other")
    before = (tmp_path / "other/streamgate.db").read_bytes()
    path = spelling.format(other=tmp_path / "other", link=tmp_path / "link", home=home)
    streamgate("backup", file, "--home", home, "--with-secrets")
    lines = lines_of(file)
    lines[1]["settings"]["env"] += f"DATABASE_URL=sqlite+aiosqlite:///{path}\n"
    write_lines(file, lines)
    said = streamgate("restore", file, "--home", tmp_path / "new", "--force")
    assert said.code == 0, said.err
    assert url(tmp_path / "new") == f"sqlite+aiosqlite:///{tmp_path}/new/streamgate.db"
    assert (tmp_path / "other/streamgate.db").read_bytes() == before


def test_a_symbolic_link_out_of_the_new_folder_is_refused(
    streamgate: Streamgate, home: Path, file: Path, tmp_path: Path
) -> None:
    new_home(tmp_path / "other", "other", 9001)
    before = (tmp_path / "other/streamgate.db").read_bytes()
    (tmp_path / "new").mkdir()
    (tmp_path / "new/streamgate.db").symlink_to(tmp_path / "other/streamgate.db")
    streamgate("backup", file, "--home", home, "--with-secrets")
    said = streamgate("restore", file, "--home", tmp_path / "new", "--force")
    assert (said.code, "leads out of" in said.err) == (1, True)
    assert (tmp_path / "other/streamgate.db").read_bytes() == before
    assert files(tmp_path / "new") == {}


def test_the_home_that_contains_the_database_must_not_be_running_either(
    streamgate: Streamgate, home: Path, file: Path, tmp_path: Path
) -> None:
    new_home(tmp_path / "other", "other", 9001)
    (tmp_path / "link").symlink_to(home)
    with settings_file(tmp_path / "other").open("a") as settings:
        settings.write(f"DATABASE_URL=sqlite+aiosqlite:///{tmp_path}/link/streamgate.db\n")
    streamgate("backup", file, "--home", home)
    (home / "run").mkdir(exist_ok=True)
    with exclusive_lock(home / "run"):
        said = streamgate("restore", file, "--home", tmp_path / "other", "--force")
    assert (said.code, said.err) == (1, f"streamgate: {home} is up already.\n")


def test_sealed_secrets_need_their_key_and_are_resealed_with_the_new_homes_key(
    streamgate: Streamgate, home: Path, file: Path, tmp_path: Path
) -> None:
    streamgate("migrate", "--home", home)
    before = secrets_of(home)
    streamgate("backup", file, "--home", home)
    assert not [secret for secret in before if secret in gzip.decompress(file.read_bytes()).decode()]
    new_home(tmp_path / "other", "other", 9001)
    said = streamgate("restore", file, "--home", tmp_path / "other")
    assert (said.code, "sealed with another SECRETS_KEY; nothing was changed" in said.err) == (1, True)
    file.unlink()
    streamgate("backup", file, "--home", home, "--with-secrets")
    assert streamgate("restore", file, "--home", tmp_path / "other").code == 0
    assert secrets_of(tmp_path / "other") == before


def test_an_older_home_gets_a_key_and_its_secrets_are_sealed(streamgate: Streamgate, home: Path) -> None:
    text = settings_file(home).read_text()
    settings_file(home).write_text(
        "".join(line for line in text.splitlines(keepends=True) if "SECRETS_KEY" not in line)
    )
    assert streamgate("migrate", "--home", home).code == 0
    key = read_environment(home)["SECRETS_KEY"]
    assert len(key) >= 32
    assert secrets_of(home)
    assert streamgate("migrate", "--home", home).code == 0
    assert read_environment(home)["SECRETS_KEY"] == key


def test_existing_settings_are_left_alone(streamgate: Streamgate, home: Path, file: Path, tmp_path: Path) -> None:
    streamgate("backup", file, "--home", home, "--with-secrets")
    new_home(tmp_path / "other", "other", 9001)
    before = files(tmp_path / "other")
    said = streamgate("restore", file, "--home", tmp_path / "other", "--json")
    assert json.loads(said.out)["settings"] is False
    assert files(tmp_path / "other") == before
    assert anyio.run(contents, url(tmp_path / "other"))["ticket"] == anyio.run(contents, url(home))["ticket"]


def test_a_failed_restore_removes_its_settings_again(
    streamgate: Streamgate, home: Path, file: Path, tmp_path: Path
) -> None:
    streamgate("backup", file, "--home", home, "--with-secrets")
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "streamgate.db").write_bytes(b"this is no database, and it is long enough to be read" * 100)
    said = streamgate("restore", file, "--home", tmp_path / "new")
    assert said.code == 1
    assert said.err.count("\n") == 1
    assert files(tmp_path / "new") == {}


def test_a_damaged_file_is_refused_before_anything_is_created(
    streamgate: Streamgate, home: Path, file: Path, tmp_path: Path
) -> None:
    streamgate("backup", file, "--home", home, "--with-secrets")
    file.write_bytes(file.read_bytes()[:-20])
    said = streamgate("restore", file, "--home", tmp_path / "new")
    assert (said.code, "damaged" in said.err) == (1, True)
    assert not (tmp_path / "new").exists()


def test_a_running_home_is_not_restored(streamgate: Streamgate, home: Path, file: Path) -> None:
    streamgate("backup", file, "--home", home)
    before = anyio.run(contents, url(home))
    (home / "run").mkdir(exist_ok=True)
    with exclusive_lock(home / "run"):
        said = streamgate("restore", file, "--home", home, "--force")
    assert (said.code, said.err) == (1, f"streamgate: {home} is up already.\n")
    assert anyio.run(contents, url(home)) == before


def test_the_data_of_a_home_is_replaced_only_by_force(streamgate: Streamgate, home: Path, file: Path) -> None:
    streamgate("backup", file, "--home", home)
    said = streamgate("restore", file, "--home", home)
    assert (said.code, "--force" in said.err) == (1, True)
    said = streamgate("restore", file, "--home", home, "--force")
    assert said.code == 0
    assert "3 tickets" in said.out


def test_an_unwritable_path_is_reported(streamgate: Streamgate, home: Path, tmp_path: Path) -> None:
    said = streamgate("backup", tmp_path / "nowhere" / "file", "--home", home)
    assert (said.code, said.err.count("\n")) == (1, 1)
    assert "cannot be written" in said.err


def test_a_missing_database_is_reported_and_not_created(streamgate: Streamgate, home: Path, file: Path) -> None:
    (home / "streamgate.db").rename(home / "elsewhere.db")
    said = streamgate("backup", file, "--home", home)
    assert said.code == 1
    assert "no database" in said.err
    assert not (home / "streamgate.db").exists()
    assert not file.exists()


def test_unreadable_settings_are_reported(streamgate: Streamgate, tmp_path: Path, file: Path) -> None:
    settings_file(tmp_path).write_text("DATABASE_URL=mysql://somewhere\n")
    said = streamgate("backup", file, "--home", tmp_path)
    assert (said.code, "DATABASE_URL must start with" in said.err) == (1, True)
