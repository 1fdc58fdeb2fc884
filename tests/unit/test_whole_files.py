"""Files are written completely or not at all."""

from pathlib import Path

import pytest

from authz_sidecar.contract.whole_files import replacing


def test_the_new_content_replaces_the_old_and_only_the_owner_can_read_it(tmp_path: Path) -> None:
    file = tmp_path / "state.json"
    file.write_text("old")
    with replacing(file) as writer:
        writer.write(b"new")
        assert file.read_text() == "old"
    assert file.read_text() == "new"
    assert file.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [file]


def test_on_an_error_the_old_content_stays(tmp_path: Path) -> None:
    file = tmp_path / "state.json"
    file.write_text("old")
    with pytest.raises(TypeError), replacing(file) as writer:
        writer.write("not bytes")  # type: ignore[call-overload]
    assert file.read_text() == "old"
    assert list(tmp_path.iterdir()) == [file]


def test_of_two_exclusive_writers_the_second_fails(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    with replacing(file, exclusive=True) as first:
        first.write(b"first")
    with pytest.raises(FileExistsError), replacing(file, exclusive=True) as second:
        second.write(b"second")
    assert file.read_text() == "first"
    assert list(tmp_path.iterdir()) == [file]
