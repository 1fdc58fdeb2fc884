"""The follower's state across a restart."""

import os
from collections.abc import Callable
from pathlib import Path

import anyio
import pytest
from structlog.testing import capture_logs
from trio.testing import MockClock

from authz_sidecar.follower import Follower
from authz_sidecar.revocations import Revocations
from authz_sidecar.state_file import StateFile
from tests.support.data.forging import NOW
from tests.support.services.feeds import GivenFeed, changes, revoked, snapshot

pytestmark = pytest.mark.anyio


class FullDisk(StateFile):
    """A state file whose first write fails."""

    has_room = False

    def save(self, cursor: str, revocations: Revocations) -> None:
        if not self.has_room:
            self.has_room = True
            raise OSError("No space left on device")
        super().save(cursor, revocations)


def refused_by(follower: Follower) -> set[str] | None:
    revocations = follower.revocations(NOW)
    return None if revocations is None else set(revocations.codes)


def restarted(path: Path, max_stale_seconds: float | None = None) -> tuple[Follower, GivenFeed]:
    feed = GivenFeed([])
    return Follower(feed, StateFile(path), max_stale_seconds, lambda: NOW), feed


async def run_until(follower: Follower, is_done: Callable[[], bool]) -> None:
    with anyio.fail_after(10):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(follower.run)
            while not is_done():  # noqa: ASYNC110 - a file has no change event
                await anyio.sleep(0.002)
            tasks.cancel_scope.cancel()


def saved_cursor(path: Path) -> str | None:
    loaded = StateFile(path).load()
    return loaded[0] if loaded else None


async def test_a_restarted_sidecar_serves_at_once_from_its_saved_state_and_continues_there(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    feed = GivenFeed([snapshot("e.1", "a"), changes("e.2", "b")])
    await run_until(Follower(feed, StateFile(path), clock=lambda: NOW), lambda: saved_cursor(path) == "e.2")
    follower, feed = restarted(path)
    await run_until(follower, lambda: bool(feed.questions))
    assert refused_by(follower) == {"a", "b"}
    assert feed.questions[0].cursor == "e.2"


async def test_revocations_during_its_downtime_are_in_force_before_it_allows_anyone(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    await run_until(Follower(GivenFeed([snapshot("e.1", "a")]), StateFile(path)), lambda: saved_cursor(path) == "e.1")
    follower = Follower(GivenFeed([changes("e.2", "b")]), StateFile(path))
    async with anyio.create_task_group() as tasks:
        await tasks.start(follower.run)
        assert refused_by(follower) == {"a", "b"}
        tasks.cancel_scope.cancel()


@pytest.mark.parametrize("anyio_backend", [("trio", {"clock": MockClock(autojump_threshold=0)})], ids=["trio"])
async def test_an_unresponsive_control_plane_delays_the_start_by_at_most_a_second(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    StateFile(path).save("e.1", revoked("a"))
    follower, _ = restarted(path)
    with anyio.fail_after(2):
        async with anyio.create_task_group() as tasks:
            await tasks.start(follower.run)
            assert refused_by(follower) == {"a"}
            tasks.cancel_scope.cancel()


async def test_without_a_file_it_starts_knowing_nothing(tmp_path: Path) -> None:
    follower, feed = restarted(tmp_path / "state.json")
    await run_until(follower, lambda: bool(feed.questions))
    assert refused_by(follower) is None


@pytest.mark.parametrize("content", [b"", b'{"cursor": "e.1", "ent', b"\xff", b"[]", b'{"cursor":"e.1"}\n{"end":1}\n'])
async def test_a_damaged_file_is_logged_and_not_used(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "state.json"
    path.write_bytes(content)
    follower, _ = restarted(path)
    with capture_logs() as logs:
        follower.load_state()
    assert refused_by(follower) is None
    assert [(entry["event"], entry["log_level"]) for entry in logs] == [("state_file_unusable", "error")]


async def test_an_unreadable_file_is_logged(tmp_path: Path) -> None:
    follower, _ = restarted(tmp_path)
    with capture_logs() as logs:
        follower.load_state()
    assert [entry["event"] for entry in logs] == ["state_file_unusable"]


async def test_the_age_of_the_saved_state_counts_from_the_last_sync_not_from_the_start(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    StateFile(path).save("e.1", revoked("a"))
    age(path, NOW - 61)
    follower, _ = restarted(path, max_stale_seconds=60)
    follower.load_state()
    assert refused_by(follower) is None
    age(path, NOW - 59)
    follower.load_state()
    assert refused_by(follower) == {"a"}
    assert not follower.control_plane_reachable


async def test_an_answer_without_changes_refreshes_the_saved_state(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    StateFile(path).save("e.1", revoked("a"))
    age(path, NOW - 1000)
    content = path.read_bytes()
    follower = Follower(GivenFeed([changes("e.1")]), StateFile(path), clock=lambda: NOW)
    await run_until(follower, lambda: path.stat().st_mtime != NOW - 1000)
    assert path.read_bytes() == content


async def test_a_state_that_could_not_be_written_is_written_with_the_next_answer(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    feed = GivenFeed([snapshot("e.1", "a"), *[changes("e.1")] * 100])
    follower = Follower(feed, FullDisk(path), clock=lambda: NOW)
    with capture_logs() as logs:
        await run_until(follower, lambda: saved_cursor(path) == "e.1")
    assert "state_file_not_written" in [entry["event"] for entry in logs]


async def test_a_deleted_file_is_written_again_and_never_left_empty(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    StateFile(path).save("e.1", revoked("a"))
    follower, feed = restarted(path)
    feed.answers = [changes("e.1")] * 100
    feed.look = lambda: path.unlink() if len(feed.questions) == 0 else None
    await run_until(follower, lambda: not path.exists())
    await run_until(follower, lambda: saved_cursor(path) == "e.1")


def age(path: Path, modified: float) -> None:
    os.utime(path, (modified, modified))
