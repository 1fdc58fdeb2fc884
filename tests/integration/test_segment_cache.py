"""The segment cache on disk, as nginx writes it and as the sidecar reads and purges it."""

import threading
from hashlib import md5
from pathlib import Path
from uuid import uuid4

import anyio
import pytest

from authz_sidecar.segment_cache import SegmentCache

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("authz_sidecar.segment_cache._MEASURE_WAIT_SECONDS", 20)
    monkeypatch.setattr("authz_sidecar.segment_cache._FIGURES_SECONDS", 600)


def keep(root: Path, event_id: str, name: str, size: int = 1000) -> Path:
    """Write a cache file like nginx: a binary header, the key's line, the response."""
    key = f"/{event_id}/{name}"
    digest = md5(key.encode(), usedforsecurity=False).hexdigest()
    file = root / "segments" / digest[-1] / digest[-3:-1] / digest
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(b"\x05" + b"\0" * 335 + f"\nKEY: {key}\nHTTP/1.1 200 OK\r\n\r\n".encode() + b"x" * size)
    return file


def remove(files: list[Path]) -> None:
    for file in files:
        file.unlink(missing_ok=True)


async def test_an_events_files_are_removed_and_all_others_stay(tmp_path: Path) -> None:
    mine, other = str(uuid4()), str(uuid4())
    gone = [keep(tmp_path, mine, f"{number}.ts") for number in range(250)]
    stays = [keep(tmp_path, other, f"{number}.ts") for number in range(250)]
    stays.append(keep(tmp_path, other, f"low/{mine}/1.ts"))
    stranger = tmp_path / "notes.txt"
    stranger.write_text(f"KEY: /{mine}/1.ts")
    await SegmentCache(tmp_path).purge(mine.encode())
    assert not any(file.exists() for file in gone)
    assert all(file.exists() for file in [*stays, stranger])


async def test_simultaneous_purges_and_vanishing_files_are_harmless(tmp_path: Path) -> None:
    event_id = str(uuid4())
    files = [keep(tmp_path, event_id, f"{number}.ts") for number in range(500)]
    remover = threading.Thread(target=remove, args=(files[::3],))
    cache = SegmentCache(tmp_path)
    remover.start()
    async with anyio.create_task_group() as tasks:
        for _ in range(4):
            tasks.start_soon(cache.purge, event_id.encode())
        tasks.start_soon(cache.figures)
    remover.join()
    assert not any(file.exists() for file in files)


async def test_the_figures_count_events_and_megabytes(tmp_path: Path) -> None:
    events = [str(uuid4()) for _ in range(3)]
    for event_id in events:
        keep(tmp_path, event_id, "1.ts", 2_000_000)
        keep(tmp_path, event_id, "2.ts", 1_000_000)
    cache = SegmentCache(tmp_path)
    figures = await cache.figures()
    assert figures
    assert (figures.events, figures.megabytes) == (3, 9)
    await cache.purge(events[0].encode())
    figures = await cache.figures()
    assert figures
    assert (figures.events, figures.megabytes) == (2, 6)


async def test_the_figures_are_cached_for_some_seconds(tmp_path: Path) -> None:
    cache = SegmentCache(tmp_path)
    first = await cache.figures()
    keep(tmp_path, str(uuid4()), "1.ts")
    assert await cache.figures() is first


async def test_a_missing_cache_is_empty(tmp_path: Path) -> None:
    cache = SegmentCache(tmp_path / "nowhere")
    await cache.purge(str(uuid4()).encode())
    figures = await cache.figures()
    assert figures
    assert (figures.events, figures.megabytes) == (0, 0)
