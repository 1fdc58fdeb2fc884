"""The state file: whole or not at all, and nobody else's to read."""

import os
from pathlib import Path

import pytest

from authz_sidecar.contract.feed import FeedPageRefused, Page
from authz_sidecar.state_file import StateFile
from tests.support.feeds import snapshot


def test_what_was_saved_is_loaded_with_the_time_of_its_last_sync(tmp_path: Path) -> None:
    path, page = tmp_path / "state.json", snapshot("e.7", "a", "b")
    StateFile(path).save(page)
    os.utime(path, (1000, 2000))
    assert StateFile(path).load() == (page, 2000)


def test_no_file_is_no_state(tmp_path: Path) -> None:
    assert StateFile(tmp_path / "state.json").load() is None


def test_its_folder_is_made(tmp_path: Path) -> None:
    path = tmp_path / "var" / "lib" / "state.json"
    StateFile(path).save(snapshot("e.7"))
    assert path.is_file()


def test_it_names_codes_so_only_its_owner_may_read_it(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    path.touch(mode=0o644)
    StateFile(path).save(snapshot("e.7"))
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    StateFile(path).save(snapshot("e.7", "a"))
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(FeedPageRefused):
        StateFile(path).load()


def test_a_writing_that_fails_leaves_the_old_file_and_nothing_beside_it(tmp_path: Path) -> None:
    path, unwritable = tmp_path / "state.json", Page("e.8", (object(),))  # type: ignore[arg-type]
    StateFile(path).save(snapshot("e.7"))
    with pytest.raises(AttributeError):
        StateFile(path).save(unwritable)
    assert StateFile(path).load() is not None
    assert list(tmp_path.iterdir()) == [path]


def test_touching_makes_the_state_young_and_changes_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    StateFile(path).save(snapshot("e.7", "a"))
    os.utime(path, (1000, 1000))
    StateFile(path).touch()
    loaded = StateFile(path).load()
    assert loaded is not None
    assert loaded[0] == snapshot("e.7", "a")
    assert loaded[1] > 1000


def test_a_file_that_is_not_there_cannot_be_touched_into_being(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        StateFile(tmp_path / "state.json").touch()
    assert list(tmp_path.iterdir()) == []
