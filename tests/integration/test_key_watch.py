"""The key watch: every kind of change of the file is noticed, and none ends the watch."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest

from authz_sidecar.contract import key_watch
from authz_sidecar.contract.key_source import KeySource
from authz_sidecar.contract.keys import KeyRing
from tests.support.data.forging import SECRET
from tests.support.data.key_sets import base64url, key_set, oct_key, write_keys, write_text
from tests.support.waiting import eventually

pytestmark = pytest.mark.anyio
OLD, NEW = oct_key("old", b"o" * 32), oct_key("new", b"n" * 32)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "keys" / "playback.json"


@asynccontextmanager
async def watching(keys: KeySource) -> AsyncIterator[None]:
    """Watch during the block; afterwards the watch must stop on request."""
    stop, ended = anyio.Event(), anyio.Event()

    async def run() -> None:
        await key_watch.run(keys, stop)
        ended.set()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(run)
        yield
        stop.set()
        with anyio.fail_after(20):
            await ended.wait()


async def soon(look: Callable[[], object], within: float = 20) -> None:
    await anyio.to_thread.run_sync(lambda: eventually(look, within))


def in_place(file: Path) -> None:
    file.write_bytes(key_set(NEW))


def by_rename(file: Path) -> None:
    write_keys(file, NEW)


def by_removal_and_return(file: Path) -> None:
    file.unlink()
    file.write_bytes(key_set(NEW))


def by_another_folder(file: Path) -> None:
    file.parent.rename(file.parent.with_name("elsewhere"))
    write_keys(file, NEW)


def link_twice(file: Path) -> None:
    file.parent.mkdir()
    write_keys(file.parent / "first" / file.name, OLD)
    (file.parent / "..data").symlink_to(file.parent / "first")
    file.symlink_to(Path("..data") / file.name)


def by_another_link(file: Path) -> None:
    """Change the file as Kubernetes changes a mounted secret: by a new symbolic link to its folder."""
    aside = file.parent / "..data_tmp"
    aside.symlink_to(file.parent / "second")
    write_keys(file.parent / "second" / file.name, NEW)
    aside.replace(file.parent / "..data")


@pytest.mark.parametrize("change", [in_place, by_rename, by_removal_and_return, by_another_folder])
async def test_a_changed_file_is_in_force_within_two_seconds(file: Path, change: Callable[[Path], None]) -> None:
    assert key_watch._POLL_SECONDS <= 1  # a busy machine may take longer for it
    write_keys(file, OLD)
    keys = KeySource.open(file, None, KeyRing.for_signing)
    async with watching(keys):
        change(file)
        await soon(lambda: keys.ring.kids == ["new"])


async def test_a_file_behind_symbolic_links_is_watched(file: Path) -> None:
    link_twice(file)
    keys = KeySource.open(file, None, KeyRing.for_signing)
    async with watching(keys):
        by_another_link(file)
        await soon(lambda: keys.ring.kids == ["new"])


async def test_a_file_in_a_folder_that_is_created_later_replaces_the_secret(file: Path) -> None:
    keys = KeySource.open(file, SECRET, KeyRing.for_signing)
    async with watching(keys):
        write_keys(file, NEW)
        await soon(lambda: keys.ring.kids == ["new"])


async def test_an_invalid_file_is_logged_once_without_key_material_and_the_next_valid_one_is_used(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_keys(file, OLD)
    keys = KeySource.open(file, None, KeyRing.for_signing)
    printed = ""

    def has_printed(words: str) -> bool:
        nonlocal printed
        printed += capsys.readouterr().out
        return words in printed

    async with watching(keys):
        write_text(file, json.dumps({"keys": [NEW, NEW]}).encode())
        await soon(lambda: has_printed("key_file_refused"))
        assert keys.ring.kids == ["old"]
        write_keys(file, NEW)
        await soon(lambda: has_printed("key_ring_changed"))
    assert printed.count("key_file_refused") == 1
    assert "key 2 has the same kid as another key" in printed
    assert base64url(b"n" * 32) not in printed


async def test_without_a_file_there_is_nothing_to_watch() -> None:
    with anyio.fail_after(20):
        await key_watch.run(KeySource.open(None, SECRET, KeyRing.for_signing), anyio.Event())
