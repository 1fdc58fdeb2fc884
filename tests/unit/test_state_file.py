"""The state file: complete or not used at all, and readable by its owner only."""

import json
import os
from pathlib import Path

import pytest

from authz_sidecar.contract.feed import Change, Kind
from authz_sidecar.revocations import EVERY_TOKEN, Revocations
from authz_sidecar.state_file import StateFile, StateFileUnusable
from tests.support.data.forging import NOW
from tests.support.services.feeds import revoked


def saved(path: Path) -> tuple[str, list[object], float] | None:
    loaded = StateFile(path).load()
    return (loaded[0], list(loaded[1].slices()), loaded[2]) if loaded else None


def test_a_saved_state_is_loaded_with_the_time_of_its_last_sync(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    revocations = revoked(*(f"code{i}" for i in range(2500)))
    lifted = [Change(kind, "b", False, NOW - 5, NOW, NOW + 3600.5) for kind in Kind]
    revocations.apply(lifted)
    StateFile(path).save("e.7", revocations)
    os.utime(path, (1000, 2000))
    assert saved(path) == ("e.7", list(revocations.slices()), 2000)


def test_without_a_file_there_is_no_state(tmp_path: Path) -> None:
    assert StateFile(tmp_path / "state.json").load() is None


def test_its_folder_is_created(tmp_path: Path) -> None:
    path = tmp_path / "var" / "lib" / "state.json"
    StateFile(path).save("e.7", Revocations())
    assert path.is_file()


def test_only_the_owner_may_read_it_since_it_contains_codes(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    path.touch(mode=0o644)
    StateFile(path).save("e.7", Revocations())
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_file_truncated_anywhere_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    StateFile(path).save("e.7", revoked("a", "b"))
    whole = path.read_bytes()
    for length in range(len(whole) - 1):  # all but the final newline
        path.write_bytes(whole[:length])
        with pytest.raises(StateFileUnusable):
            StateFile(path).load()


CURSOR, END = b'{"cursor":"e.7"}\n', b'{"end":1}\n'


@pytest.mark.parametrize(
    "content",
    [
        b'{"cursor":"nonsense"}\n{"end":0}\n',
        b'{"cursor":null}\n{"end":0}\n',
        CURSOR + b'{"kind":"user","entries":7}\n' + END,
        CURSOR + b'{"kind":"code","entries":{"a":[1]}}\n' + END,
        CURSOR + b'{"kind":"code","entries":{"a":[1,"2"]}}\n' + END,
        CURSOR + b'{"kind":"code","entries":{"a":[true,2]}}\n' + END,
        CURSOR + b'{"kind":"code","entries":{"a":[1.5,2]}}\n' + END,
        CURSOR + b'{"kind":"code","entries":["a"]}\n' + END,
        CURSOR + b'{"kind":"event","entries":{"a":[1,2]},"held":{"a":[1]}}\n' + END,
        CURSOR + b'{"kind":"event","entries":{"a":[1,2]},"held":{"a":["1",2]}}\n' + END,
        CURSOR + b'{"kind":"event","entries":{"a":[1,2]},"held":7}\n' + END,
        CURSOR + b'{"kind":"code","entries":{"a":[1,2],"a":[1,2]}}\n' + END,
        CURSOR + b'{"kind":"code","entries":{"a":[1,2]}}\n' + END + b"more\n",
        CURSOR + END,
    ],
)
def test_a_damaged_file_is_refused_as_a_whole(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "state.json"
    path.write_bytes(content)
    with pytest.raises(StateFileUnusable):
        StateFile(path).load()


def test_an_old_file_without_kinds_causes_a_snapshot_request(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    path.write_bytes(CURSOR + b'{"kind":"code","entries":{"a":[1,2]}}\n' + END)
    loaded = StateFile(path).load()
    assert loaded
    assert loaded[0] == ""
    assert set(loaded[1].codes) == {"a"}


def test_a_held_event_stays_held_after_a_restart_and_opens_automatically(tmp_path: Path) -> None:
    path, revocations = tmp_path / "state.json", Revocations()
    revocations.apply([Change(Kind.EVENT, "e", True, NOW - 5, NOW, NOW + 3600, NOW + 60)])
    StateFile(path).save("e.7", revocations)
    loaded = StateFile(path).load()
    assert loaded
    events = loaded[1].events
    assert (events.holds("e", NOW + 59), events.holds("e", NOW + 60)) == (True, False)
    assert (events.refuses("e", NOW - 6), events.refuses("e", NOW)) == (True, False)


def test_a_reader_that_does_not_know_doors_refuses_everyone_at_a_held_event(tmp_path: Path) -> None:
    path, revocations = tmp_path / "state.json", Revocations()
    revocations.apply([Change(Kind.EVENT, "e", True, None, NOW, NOW + 3600, NOW + 60)])
    StateFile(path).save("e.7", revocations)
    line = json.loads(path.read_text().splitlines()[1])
    assert line["entries"]["e"][0] == EVERY_TOKEN


def test_kinds_that_a_newer_sidecar_has_written_are_skipped(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    heading = b'{"cursor":"e.7","reads":["code","event","origin","session","until"]}\n'
    lines = b'{"kind":"origin","entries":{"b":[1,2]}}\n{"kind":"code","entries":{"a":[1,2]}}\n{"end":2}\n'
    path.write_bytes(heading + lines)
    loaded = StateFile(path).load()
    assert loaded
    assert (loaded[0], len(loaded[1])) == ("e.7", 1)


def test_the_cursor_of_a_writer_that_understood_less_is_not_used(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    heading = b'{"cursor":"e.7","reads":["code","session"]}\n'
    path.write_bytes(heading + b'{"kind":"code","entries":{"a":[1,2]}}\n' + END)
    loaded = StateFile(path).load()
    assert loaded
    assert loaded[0] == ""
    assert set(loaded[1].codes) == {"a"}


def test_a_failed_write_leaves_the_old_file_and_no_temporary_file(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    StateFile(path).save("e.7", Revocations())
    with pytest.raises(TypeError):
        StateFile(path).save(object(), revoked("a"))  # type: ignore[arg-type]
    assert saved(path) is not None
    assert list(tmp_path.iterdir()) == [path]


def test_touching_refreshes_the_state_and_changes_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    StateFile(path).save("e.7", revoked("a"))
    os.utime(path, (1000, 1000))
    before = path.read_bytes()
    StateFile(path).touch()
    assert path.read_bytes() == before
    assert path.stat().st_mtime > 1000


def test_touching_does_not_create_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        StateFile(tmp_path / "state.json").touch()
    assert list(tmp_path.iterdir()) == []


def test_entries_dropped_by_a_clock_ahead_are_known_to_be_missing_after_a_restart(tmp_path: Path) -> None:
    revocations = revoked("a")
    list(revocations.forget_expired(NOW + 50_000))
    assert revocations.complete_from > NOW
    StateFile(tmp_path / "state.json").save("e.1", revocations)
    loaded = StateFile(tmp_path / "state.json").load()
    assert loaded
    assert loaded[1].complete_from == revocations.complete_from
