"""`streamgate key rotate` and `key export-public`: what they write, keep and refuse."""

import json
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from authz_sidecar.contract.key_set import parse_key_set
from authz_sidecar.contract.keys import KeyRing
from control_plane.errors import OperatorError, UsageError
from control_plane.ops.home import read_environment, settings_file
from control_plane.ops.key_file import Algorithm, Rotation, Step, public_keys, rotate
from tests.support.data.forging import SECRET
from tests.support.data.key_sets import ed25519_key, oct_key, public, write_keys, write_text

SETTINGS = f"# by hand\nPLAYBACK_SIGNING_SECRET='{SECRET}'\n\nAPP_NAME=Übung # kept\nPORT=9000"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("PLAYBACK_KEYS_FILE", "PLAYBACK_SIGNING_SECRET"):
        monkeypatch.delenv(name, raising=False)
    settings_file(tmp_path).write_text(SETTINGS)
    settings_file(tmp_path).chmod(0o600)
    return tmp_path


@pytest.fixture
def file(home: Path) -> Path:
    return home / "keys" / "playback.json"


def ring(file: Path) -> KeyRing:
    return parse_key_set(file.read_bytes())


def test_the_first_rotation_keeps_the_plain_secret_behind_the_fresh_key(home: Path, file: Path) -> None:
    done = rotate(home)
    assert ring(file).kids == [done.kid, None]
    assert ring(file).find(None) == KeyRing.from_secret(SECRET).signing_key
    assert ring(file).signing_key.algorithm == "HS256"
    assert (done.kept, done.dropped) == ([None], [])


def test_the_file_is_added_to_the_settings_once_and_no_other_line_changes(home: Path, file: Path) -> None:
    rotate(home)
    after = settings_file(home).read_text()
    assert after == f"{SETTINGS}\nPLAYBACK_KEYS_FILE='{file}'\n"
    rotate(home)
    assert settings_file(home).read_text() == after
    assert read_environment(home)["PLAYBACK_KEYS_FILE"] == str(file)


def test_only_the_owner_can_read_the_files_and_no_temporary_file_is_left(home: Path, file: Path) -> None:
    rotate(home)
    rotate(home)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(settings_file(home).stat().st_mode) == 0o600
    assert sorted(entry.relative_to(home).as_posix() for entry in home.rglob("*")) == [
        ".env",
        "keys",
        "keys/playback.json",
    ]


def test_every_rotation_puts_a_new_key_first_and_keeps_the_others_unchanged(home: Path, file: Path) -> None:
    rotate(home)
    before = json.loads(file.read_text())["keys"]
    done = rotate(home)
    after = json.loads(file.read_text())["keys"]
    assert after[1:] == before
    assert after[0]["kid"] == done.kid != before[0]["kid"]
    assert after[0]["k"] != before[0]["k"]


def test_keep_drops_the_oldest(home: Path, file: Path) -> None:
    first, second = rotate(home).kid, rotate(home).kid
    done = rotate(home, keep=1)
    assert ring(file).kids == [done.kid, second]
    assert (done.kept, done.dropped) == ([second], [first, None])
    assert rotate(home, keep=5).dropped == []
    assert rotate(home, keep=0).kept == []
    assert len(ring(file).kids) == 1


def test_the_algorithm_stays_unless_another_one_is_named(home: Path, file: Path) -> None:
    for algorithm in (Algorithm.EdDSA, None, Algorithm.HS256, None):
        rotate(home, algorithm)
    made = [key.algorithm for key in map(ring(file).find, ring(file).kids) if key]
    assert made == ["HS256", "HS256", "EdDSA", "EdDSA", "HS256"]


def test_a_key_on_standby_verifies_everywhere_before_it_signs(home: Path, file: Path) -> None:
    first = rotate(home).kid
    second = rotate(home, step=Step.STANDBY)
    assert ring(file).kids == [first, second.kid, None]
    assert second == Rotation(file, second.kid, Step.STANDBY, [first, None], [])
    promoted = rotate(home, step=Step.PROMOTE, keep=1)
    assert ring(file).kids == [second.kid, first]
    assert promoted == Rotation(file, second.kid, Step.PROMOTE, [first], [None])


def test_keep_never_drops_the_key_that_signs_or_the_one_on_standby(home: Path, file: Path) -> None:
    first = rotate(home).kid
    done = rotate(home, step=Step.STANDBY, keep=0)
    assert ring(file).kids == [first, done.kid]


def test_without_a_second_key_there_is_nothing_to_promote(home: Path, file: Path) -> None:
    with pytest.raises(OperatorError, match="no second key"):
        rotate(home, step=Step.PROMOTE)
    assert not file.exists()


def test_a_public_key_is_not_promoted(home: Path, file: Path) -> None:
    write_keys(file, oct_key("mine"), public(ed25519_key()))
    before = file.read_bytes()
    with pytest.raises(OperatorError, match="not sign"):
        rotate(home, step=Step.PROMOTE)
    assert file.read_bytes() == before


def test_a_file_named_elsewhere_is_the_one_that_is_rotated(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere = home / "elsewhere" / "ring.json"
    write_keys(elsewhere, oct_key("mine"))
    monkeypatch.setenv("PLAYBACK_KEYS_FILE", str(elsewhere))
    done = rotate(home)
    assert ring(elsewhere).kids == [done.kid, "mine"]
    assert settings_file(home).read_text() == SETTINGS


def test_a_symlinked_file_is_replaced_at_its_target(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target, link = home / "real" / "ring.json", home / "ring.json"
    write_keys(target, oct_key("mine"))
    link.symlink_to(target)
    monkeypatch.setenv("PLAYBACK_KEYS_FILE", str(link))
    rotate(home)
    assert link.is_symlink()
    assert len(ring(target).kids) == 2


def test_an_invalid_file_is_left_alone(home: Path, file: Path) -> None:
    write_text(file, b'{"keys":[{"kty":"oct","kid":"a","k":"c2hvcnQ"}]}')
    before = file.read_bytes()
    with pytest.raises(OperatorError, match="was not changed: key 1 is shorter than 32 bytes") as refused:
        rotate(home)
    assert "c2hvcnQ" not in str(refused.value)
    assert file.read_bytes() == before
    assert settings_file(home).read_text() == SETTINGS


def test_a_negative_number_of_keys_and_a_relative_file_are_refused(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="negative"):
        rotate(home, keep=-1)
    monkeypatch.setenv("PLAYBACK_KEYS_FILE", "keys.json")
    with pytest.raises(OperatorError, match="absolute"):
        rotate(home)


def test_without_a_home_there_is_no_rotation(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match="streamgate init"):
        rotate(tmp_path / "nowhere")


def test_simultaneous_rotations_lose_no_key(home: Path, file: Path) -> None:
    command = [sys.executable, "-c", "from control_plane.cli import main; main()", "key", "rotate", "--home", str(home)]
    running = [subprocess.Popen([*command, "--json"], stdout=subprocess.PIPE, text=True) for _ in range(3)]
    made = [json.loads(process.communicate(timeout=60)[0])["kid"] for process in running]
    assert sorted(filter(None, ring(file).kids)) == sorted(made)
    assert ring(file).kids[-1] is None
    assert settings_file(home).read_text().count("PLAYBACK_KEYS_FILE") == 1


def test_an_edge_gets_only_the_public_keys(home: Path, file: Path) -> None:
    rotate(home, Algorithm.EdDSA, keep=0)
    rotate(home)
    exported = public_keys(home)
    assert parse_key_set(json.dumps(exported).encode()).kids == ring(file).kids
    assert [set(key) for key in exported["keys"]] == [{"kty", "crv", "kid", "use", "alg", "x"}] * 2
    private: list[dict[str, Any]] = json.loads(file.read_text())["keys"]
    assert not [key for key in private if key["d"] in json.dumps(exported)]


def test_secrets_are_not_exported(home: Path, file: Path) -> None:
    for keys in ([], [oct_key("a")], [ed25519_key(), oct_key(None)]):
        if keys:
            write_keys(file, *keys)
        with pytest.raises(OperatorError, match="no public half"):
            public_keys(home)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--algorithm", "RS256"], "--algorithm is HS256 or EdDSA."),
        (["--keep", "-1"], "--keep cannot be negative."),
        (["--promote", "--standby"], "--promote creates no key: it cannot be combined with --standby or --algorithm."),
    ],
)
def test_impossible_options_are_refused_in_one_sentence(home: Path, options: list[str], sentence: str) -> None:
    command = [sys.executable, "-c", "from control_plane.cli import main; main()", "key", "rotate", "--home", str(home)]
    done = subprocess.run([*command, *options], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr.strip()) == (2, f"streamgate: {sentence}")
    assert settings_file(home).read_text() == SETTINGS
